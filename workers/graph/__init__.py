"""Graphs that have been exported: opened, and run on batches."""

"""Datasets, model versions, what was found out about them, and aliases: here a pointer moves."""

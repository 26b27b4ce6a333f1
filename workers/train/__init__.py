"""Trainings: the loop, checkpoints, and the private one with its ledger."""

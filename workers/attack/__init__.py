"""Audits: how easily a version's answers are broken by small changes of its input."""

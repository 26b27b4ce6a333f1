"""Verbs that ask the API, by noun."""

"""Base models: fetched, converted and loaded once."""

"""Canaries by phase, holds, and a person's rollback."""

"""`graftwork simulate`, shown."""

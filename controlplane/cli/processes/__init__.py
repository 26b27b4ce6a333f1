"""`graftwork up` and what it starts, watches and starts again."""

"""From cells to rows: what columns mean."""

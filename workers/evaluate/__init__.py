"""A version's answers on held-out rows, measured with intervals and beside another version's."""

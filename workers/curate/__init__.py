"""From sources to a dataset version: formats, shapes, operators, rejects."""

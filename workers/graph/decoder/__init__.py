"""Running a decoder's graph: its attention's memory and tables of adapters."""

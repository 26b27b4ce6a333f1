"""What is done with rows, one after the other."""

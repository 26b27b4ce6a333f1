"""Generation: texts of several versions in one batch, joined and left between two tokens."""

"""Classification: rows of several versions in one run."""

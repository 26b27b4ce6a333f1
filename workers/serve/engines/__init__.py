"""What computes an answer, by task."""

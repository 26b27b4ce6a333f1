"""What the API answers, by noun."""

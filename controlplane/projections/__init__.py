"""The only code that reads the database for those who ask: each noun's reads, and the views made of them."""

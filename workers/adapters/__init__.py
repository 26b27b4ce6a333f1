"""What a training changes in a base model: its forms, the methods that train them, and their files."""

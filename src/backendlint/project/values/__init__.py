"""What values are: constants, numbers, texts, settings, sizes."""

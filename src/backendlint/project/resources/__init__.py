"""What is opened, made and started, and what becomes of it in the end."""

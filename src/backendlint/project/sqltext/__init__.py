"""SQL texts in Python code and .sql files: found, put together, and mapped back to their places."""

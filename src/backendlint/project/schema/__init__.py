"""The database schema, read statically: what tables there are, and how migrations change them."""

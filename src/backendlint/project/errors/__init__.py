"""Exceptions: which ones escape, what they mean, and what becomes of them."""

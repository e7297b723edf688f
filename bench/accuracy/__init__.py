"""Recall and precision on test suites that others wrote; see docs/accuracy.md."""

"""Stage 5: each engine turns its kind of rule into findings."""

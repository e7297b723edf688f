"""Stage 4: the linked model of the whole project."""

"""Stage 3: one file's facts."""

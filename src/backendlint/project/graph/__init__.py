"""Who calls whom, what functions do in the end, and whether a way is open."""

"""Stage 6: what checks yield, and how it is filtered, identified and ranked."""

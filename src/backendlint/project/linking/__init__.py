"""What names and values refer to, across files: modules, classes, functions, what callers pass."""

"""One module a command: its `command` object, light at the top, heavy imports inside the functions."""

"""Speed and memory, measured against the peers in one run: `python -m bench`."""

"""How long things take: timeouts, retries, waits, what runs side by side."""

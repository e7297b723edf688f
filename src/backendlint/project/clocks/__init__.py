"""Times and the clocks and zones that they are on."""

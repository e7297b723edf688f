"""What runs again and again: queries for each item, and what is kept from one round to the next."""

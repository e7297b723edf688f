"""The database as the code uses it: queries, transactions, locks, relations, who changes what."""

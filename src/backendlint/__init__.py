"""Reviews Python backends the way a senior reliability engineer does."""

__version__ = "0.1.0"

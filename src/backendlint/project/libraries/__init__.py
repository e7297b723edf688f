"""What libraries do: the models, read from YAML, and what they say of a call."""

"""A candidate that lives elsewhere."""

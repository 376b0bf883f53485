"""The library in pytest."""

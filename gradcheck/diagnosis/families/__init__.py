"""What a family of guesses asks: what else would give the same numbers."""

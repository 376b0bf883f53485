"""Scores on their way back to where grades are kept."""

"""Scores brought back: what CI and hosts say, what clones show, and how that compares with the instructor's regrade."""

"""Submissions on disk: a file becomes a candidate, a folder becomes a report."""

"""Submissions as they arrive: folders, archives and git clones, none of which is trusted, become `Submission`s."""

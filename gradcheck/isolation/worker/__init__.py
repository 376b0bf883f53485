"""A submission in a process of its own: what is sent to it, what it may answer, who starts and ends it."""

"""From evidence to a named mistake: wrong answers derived from the right one."""

"""Where a course is published and graded by a push."""

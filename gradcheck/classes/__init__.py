"""A class: many submissions graded in workers, nothing lost, and what the class got wrong."""

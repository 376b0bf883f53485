"""The learner's desk: what is typed while working on an exercise, in a shell or a notebook."""

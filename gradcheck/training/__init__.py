"""Full backprop: the practicum's spiral, a reference network, and a learner's training held against both."""

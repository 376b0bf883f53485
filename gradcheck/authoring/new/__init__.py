"""A new exercise from its formula: `gradcheck new`."""

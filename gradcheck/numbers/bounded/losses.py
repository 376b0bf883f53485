"""Rules for losses and distances that torch computes in one piece."""

"""Any hand-written backward held against anything that says what is right, at its own precision."""

"""The walls around a process that runs a submission: what the kernel offers, and nothing that costs a dependency."""

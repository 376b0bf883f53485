"""One file per reader of a report."""

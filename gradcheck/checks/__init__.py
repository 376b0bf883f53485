"""What must hold of a candidate: cases, checks and their results. A candidate is seen only through `Candidate.call`."""

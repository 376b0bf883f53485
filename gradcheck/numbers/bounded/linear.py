"""Rules for maps that are linear in one argument, with weights the operator itself gives."""

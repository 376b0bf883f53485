"""Number systems under torch's operators: any torch code, autograd's backward included, runs on numbers that know more.

Bounded numbers carry what any right program may lose at a candidate's precision, exact numbers carry the truth.
"""

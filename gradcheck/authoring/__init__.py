"""What learners are given, made from what instructors keep."""

"""What services that keep courses are given, and what runs there."""

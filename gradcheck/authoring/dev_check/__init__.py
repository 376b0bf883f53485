"""What keeps an exercise from being given to learners: `gradcheck dev check`."""

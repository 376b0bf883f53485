"""The learners' repository: `gradcheck release`."""

"""The desk: exercises, verdicts and hints on a full screen, on Textual."""

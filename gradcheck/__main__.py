"""`python -m gradcheck`."""

from gradcheck.commands.cli import main

if __name__ == "__main__":  # a process that a command starts imports this file too
    main()

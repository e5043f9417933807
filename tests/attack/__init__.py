"""The server as a stranger meets it: `python -m tests.attack` prints a line for each attack."""

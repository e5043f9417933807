"""The server seen from outside: `python -m tests.attack` prints a line for each attack."""

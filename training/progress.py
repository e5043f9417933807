"""How a step says how far it has come."""

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""Called with (steps done, steps in all, what is being done)."""


Report = Callable[[str], None]
"""Told what is being worked on; the command line draws progress from it."""

"""Random ids that nobody can guess, drawn many at a time: a call of the system for each was 2.5 % of a list's CPU."""

import os
from collections import deque
from typing import Final

BYTES: Final = 16  # of one id
DRAWN: Final = 256  # ids

_drawn: Final[deque[str]] = deque()
"""Not given out yet. Its `popleft` is atomic, so that two threads never get the same."""


def random_id() -> str:
    """32 hexadecimal digits from the system's source of secrets, `os.urandom`."""
    while True:
        try:
            return _drawn.popleft()
        except IndexError:
            digits = os.urandom(BYTES * DRAWN).hex()
            _drawn.extend(digits[start : start + 2 * BYTES] for start in range(0, len(digits), 2 * BYTES))


os.register_at_fork(after_in_child=_drawn.clear)  # a child would give out its parent's ids once more

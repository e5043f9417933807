"""A loop over nothing passes whatever is asserted in it."""

from collections.abc import Iterable
from typing import TypeVar

Value = TypeVar("Value")


def each(values: Iterable[Value]) -> list[Value]:
    """The values, for a loop that asserts something of every one. Fails where there is none."""
    found = list(values)
    assert found, "nothing to look at: this would pass on an empty set"
    return found

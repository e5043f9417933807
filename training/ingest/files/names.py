"""Names of columns, so that no engine takes two of them for one: engines do not tell A from a."""

from collections.abc import Collection, Sequence
from typing import Final

from contracts.errors import DataRejected

UNREAD: Final = " (unread)"
"""Behind the name of a column that nobody reads, and that is called like another one but for case."""


def beside(name: str, reserved: Collection[str]) -> str:
    """The name, or another one where it is reserved."""
    return name + UNREAD if name in reserved else name


def as_in_file(name: str) -> str:
    """The name as people know it."""
    return name.replace(UNREAD, "")


def refuse_named_twice(names: Sequence[str], file_name: str) -> None:
    """Raises DataRejected for a file with two columns of one name."""
    if len(set(names)) < len(names):
        raise DataRejected(f"{file_name} names a column twice: {', '.join(names)}.")


def told_apart(names: Sequence[str], wanted: Collection[str], file_name: str) -> list[str]:
    """[n] distinct names, whatever their case. A wanted one keeps its name, or else the first that is called so.

    Raises DataRejected where two of the wanted differ in case alone.
    """
    owners: dict[str, str] = {}  # by name without case
    for name in sorted(names, key=lambda name: name not in wanted):
        first = owners.setdefault(_folded(name), name)
        if first != name and name in wanted:
            raise DataRejected(
                f"{file_name} has the columns {first!r} and {name!r}, which differ in case alone. Both are read: give "
                "one of them another name in the file."
            )
    return [name if owners[_folded(name)] == name else _free(name, owners) for name in names]


def _free(name: str, owners: dict[str, str]) -> str:
    while _folded(name) in owners:
        name += UNREAD
    owners[_folded(name)] = name
    return name


def _folded(name: str) -> str:
    return name.lower()

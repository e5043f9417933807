"""Which tests are quick, in which order two workers take them, and what could not run here."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

from tests.support.repository import ROOT
from tests.support.suite.imports import closure_of, names_in

LIBRARIES = {"tf": "tensorflow", "evidently": "evidently", "feast": "feast", "duckdb": "duckdb"}
"""By mark: libraries that take seconds to load or, in the case of DuckDB, whose tests make tables for seconds."""
FIXTURES = {
    "tf": {"trained"},
    "server": {"start_server", "server", "redis_servers", "redis_server", "s3", "bucket"},
}
"""By mark: the fixtures that bring what the mark says."""


@cache
def loaded_by(file: Path) -> tuple[str, ...]:
    """Marks of the libraries that loading a test file loads."""
    if not file.is_relative_to(ROOT):
        return ()
    files = closure_of([file.relative_to(ROOT)], lazy=False)
    loaded = {name.split(".")[0] for one in files for name in names_in(one, lazy=False)}
    return tuple(mark for mark, library in LIBRARIES.items() if library in loaded)


def needed_by(fixtures: Iterable[str]) -> list[str]:
    """Marks that a test has by its fixtures."""
    used = set(fixtures)
    return [mark for mark, bringing in FIXTURES.items() if used & bringing]


def ordered(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """One file that needs the trained slice, half of those that do not, the others that do, and the rest.

    The slice may have to be trained: the other worker does the first half meanwhile. Files of small tests come last, so
    that both workers end at about the same time.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    trained = [file for file, tests in files.items() if any("trained" in fixtures_of(test) for test in tests)]
    others = [file for file in files if file not in set(trained)]
    middle = len(others) // 2
    return [item for file in (*trained[:1], *others[:middle], *trained[1:], *others[middle:]) for item in files[file]]


def fixtures_of(item: pytest.Item) -> Sequence[str]:
    """Names of all fixtures of a test."""
    names: Sequence[str] = getattr(item, "fixturenames", ())
    return names


def missing_parts(skipped: Iterable[pytest.TestReport]) -> Iterator[str]:
    """One line for each reason; a reason names what is missing and the command that brings it."""
    reasons = Counter(
        str(report.longrepr[2]).removeprefix("Skipped: ") for report in skipped if isinstance(report.longrepr, tuple)
    )
    for reason, tests in sorted(reasons.items()):
        yield f"{tests} skipped: {reason}"

"""Draws many shops: `python -m tests.training.ingest.drawn 20000`. Prints how many were read and refused."""

import sys
from collections import Counter

import ibis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.training.ingest.drawn.held import hold
from tests.training.ingest.drawn.shops import SHOPS
from training.engine import connect_duckdb


def main(shops: int) -> None:
    """Raises AssertionError, with the smallest shop that shows it, where one is not read right."""
    connection = connect_duckdb()
    for name in SHOPS:
        outcomes = drawn(name, shops // len(SHOPS), connection)
        print(f"{name}: {sum(outcomes.values()):,} shops, {dict(outcomes)}", flush=True)


def drawn(name: str, shops: int, connection: ibis.BaseBackend) -> Counter[str]:
    """How many shops of an adapter were read, and how many refused."""
    outcomes: Counter[str] = Counter()

    @settings(max_examples=shops, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def run(data: st.DataObject) -> None:
        outcomes[hold(data.draw, name, connection)] += 1

    run()
    return outcomes


if __name__ == "__main__":
    main(int(sys.argv[1]))

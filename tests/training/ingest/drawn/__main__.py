"""Draws many shops: `python -m tests.training.ingest.drawn 20000 [SEED]`.

After each hundred it prints how many were read and refused so far.

Half of a shop's time is Ibis' and DuckDB's planning, which grows with the columns and not with the rows.
"""

import gc
import sys
from collections import Counter
from dataclasses import dataclass, field

import ibis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.training.ingest.drawn.held import hold
from tests.training.ingest.drawn.shops import SHOPS
from training.engine import connect_duckdb

AT_ONCE = 100
"""Shops on one connection, which keeps each table that it was given; one fault is found in each of these at most."""


@dataclass
class Seen:
    """What became of some shops."""

    outcomes: Counter[str] = field(default_factory=Counter)  # shops by outcome
    tables: int = 0  # files, each part of a table for itself
    rows: int = 0

    def __str__(self) -> str:
        """So far."""
        shown = ", ".join(f"{count:,} {outcome}" for outcome, count in self.outcomes.items())
        return f"{shown}; {self.tables:,} files, {self.rows:,} rows"

    def add(self, other: "Seen") -> None:
        """Counts the other's as well."""
        self.outcomes += other.outcomes
        self.tables += other.tables
        self.rows += other.rows


def main(shops: int, first_seed: int) -> None:
    """Raises AssertionError, with the smallest shop that shows it, where one is not read right."""
    gc.collect()
    gc.freeze()  # what was imported stays, and a fifth of the time went into looking at it again and again
    gc.set_threshold(100_000, 20, 100)
    each = shops // len(SHOPS)
    total = Seen()
    for done in range(0, each, AT_ONCE):
        for name in SHOPS:
            total.add(drawn(name, min(AT_ONCE, each - done), first_seed + done, connect_duckdb()))
            print(f"{name}: {total}", flush=True)


def drawn(name: str, shops: int, at: int, connection: ibis.BaseBackend) -> Seen:
    """What became of the shops of an adapter that a seed gives."""
    seen = Seen()

    @seed(at)
    @settings(max_examples=shops, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def run(data: st.DataObject) -> None:
        held = hold(data.draw, name, connection)
        seen.add(Seen(Counter([held.outcome]), held.tables, held.rows))

    run()
    return seen


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)

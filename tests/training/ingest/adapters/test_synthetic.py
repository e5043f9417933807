"""The synthetic shop: its sizes, its seed, and the oracle's probabilities against what was looked at."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from contracts.errors import InvalidInput
from tests.support.each import each
from tests.support.shops.shop_files import EVENT, rows_of, run
from training.ingest.adapters import synthetic
from training.workspace import Workspace

SMALL = {"interactions": 20_000, "users": 300, "products": 200}


def test_a_synthetic_shop_has_the_sizes_asked_for_and_is_the_same_each_time(tmp_path: Path) -> None:
    report = run(tmp_path, "synthetic", "", SMALL)
    assert (report.events_in, report.events_kept, report.users, report.items) == (20_000, 20_000, 300, 200)
    first = Workspace(tmp_path).ingested("events").read_bytes()
    run(tmp_path, "synthetic", "", SMALL)
    assert Workspace(tmp_path).ingested("events").read_bytes() == first
    run(tmp_path, "synthetic", "", SMALL | {"seed": 18})
    assert Workspace(tmp_path).ingested("events").read_bytes() != first


def test_nobody_looks_at_an_item_before_it_is_for_sale(tmp_path: Path) -> None:
    run(tmp_path, "synthetic", "", SMALL)
    started = dict(rows_of(tmp_path, "items", "item_id", "available_from"))
    events = rows_of(tmp_path, "events", "item_id", "event_timestamp")
    assert all(moment >= started[item] for item, moment in each(events))
    assert sum(start > started["p0"] for start in started.values()) > 10  # a fifth of 200 comes later


def test_the_oracles_scores_are_the_shares_of_what_is_looked_at(tmp_path: Path) -> None:
    run(tmp_path, "synthetic", "", {"interactions": 100_000, "users": 2, "products": 20, "days": 1, "seed": 3})
    truth = synthetic.Truth.load(*(Workspace(tmp_path).ingested(name) for name in ("truth_users", "truth_items")))
    moment = datetime(2024, 1, 1, 23, 59, 59, tzinfo=UTC)
    probabilities = np.exp(synthetic.oracle_scores(truth, ["u1", "u0"], moment))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    events = [row for row in rows_of(tmp_path, "events", "user_id", "item_id", "event_type") if row[2] == "view"]
    for row, user in enumerate(("u1", "u0")):
        seen = [item for who, item, __ in events if who == user]
        shares = [seen.count(item) / len(seen) for item in truth.items["item_id"].to_pylist()]
        # A season moves little within a day; some 12,000 sessions a user leave errors of .005.
        old = truth.items["start_day"].to_numpy() == 0
        np.testing.assert_allclose(np.array(shares)[old], probabilities[row][old], atol=0.02)
    early = synthetic.oracle_scores(truth, ["u0"], datetime(2024, 1, 1, tzinfo=UTC))[0]
    assert np.isneginf(early).tolist() == (truth.items["start_day"].to_numpy() > 0).tolist()


def test_a_synthetic_shops_files_load_as_ecommerce(tmp_path: Path) -> None:
    run(tmp_path, "synthetic", tmp_path / "files", SMALL)
    made = rows_of(tmp_path, "events", *EVENT)
    run(tmp_path, "ecommerce", tmp_path / "files")
    assert [row for row in rows_of(tmp_path, "events", *EVENT) if row[1] != "visit"] == made


def test_a_size_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="users is 'many', expected a whole number of at least 1"):
        run(tmp_path, "synthetic", "", {"users": "many"})

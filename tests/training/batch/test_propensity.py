"""Who will buy: splits in time, calibration by hand, the file that is written, and every refusal."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from contracts.errors import InvalidInput
from contracts.features import names
from contracts.features.names import DAY_SECONDS
from tandem.__main__ import app
from tandem.console import propensity_tables
from tests.support.shops.purchases import ACTIVITY, PURCHASES, built
from training.batch.propensity import (
    FREQUENCY,
    NUMBERS,
    RECENCY,
    Buyers,
    Labelled,
    Propensity,
    PropensityReport,
    Ranking,
    activity_as_of,
    measured_on,
    split_snapshots,
)
from training.feature_store.store import apply_definitions, open_store
from training.metrics.reliability import ReliabilityBin, reliability
from training.workspace import Workspace

WEEKS = tuple(week * 7 * DAY_SECONDS for week in range(20))


@pytest.mark.parametrize("horizon_days", [3, 7, 14])
def test_no_label_window_reaches_into_the_next_part(horizon_days: int) -> None:
    training, calibration, held_out = split_snapshots(WEEKS, horizon_days, WEEKS[-1])
    horizon = horizon_days * DAY_SECONDS
    assert training[-1] + horizon <= calibration[0]
    assert calibration[-1] + horizon <= held_out[0]
    assert held_out[-1] + horizon <= WEEKS[-1]


def test_the_latest_snapshot_with_a_label_is_held_out() -> None:
    training, calibration, held_out = split_snapshots(WEEKS, 3, WEEKS[-1])
    assert held_out == WEEKS[-3:-1]
    assert calibration == WEEKS[-7:-3]
    assert training == WEEKS[-17:-7]


def test_too_few_snapshots_are_refused_with_what_would_do() -> None:
    with pytest.raises(InvalidInput, match=r"--horizon-days 14: snapshots to learn from.*there are 7 snapshots"):
        split_snapshots(WEEKS[:7], 14, WEEKS[6])


def people(seed: int, count: int = 4000) -> Labelled:
    """Users who buy with probability 1 / (1 + days since the last basket), and statistics that say nothing else."""
    random = np.random.default_rng(seed)
    inputs = np.zeros((count, NUMBERS + len(names.USER_PROFILE)), np.float32)
    inputs[:, 0 : len(names.USER_STATISTICS)] = 1.0
    inputs[:, RECENCY] = random.uniform(0, 20, count)
    inputs[:, FREQUENCY] = random.integers(1, 9, count)
    return Labelled(inputs, random.random(count) < 1 / (1 + inputs[:, RECENCY]))


def test_probabilities_are_those_that_the_users_were_made_with() -> None:
    model = Propensity([people(1)], [people(2)])
    later = people(3)
    truth = 1 / (1 + later.inputs[:, RECENCY])
    assert np.abs(model.probabilities(later.inputs) - truth).mean() < 0.05
    report = measured_on([later, people(4)], model, (400, 4000))
    assert report.calibration_error < 0.03
    assert report.rankings["propensity"].auc > 0.7
    assert report.rankings["most frequent buyers"].auc == pytest.approx(0.5, abs=0.05)
    # Everybody is among the first 4,000, whatever the order.
    assert report.rankings["propensity"].precision[4000] == pytest.approx(report.buyers)
    assert report.rankings["propensity"].precision[400] > 2 * report.buyers


def test_counts_that_are_as_good_as_the_model_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    counts = {"propensity": 0.7, "most recent buyers": 0.6, "most frequent buyers": 0.7}
    rankings = {name: Ranking(auc, {10: 0.5}) for name, auc in counts.items()}
    report = PropensityReport(snapshots=2, users=250, buyers=0.4, rankings=rankings, bins=[ReliabilityBin(1, 0.5, 0.5)])
    propensity_tables(Buyers(("u1",), np.ones(1), report), 7, 1)
    said = capsys.readouterr().out
    assert "most frequent buyers: as good an order as the model's" in said
    assert "most recent buyers: as good" not in said


def test_few_users_are_ordered_better_than_by_trees_alone() -> None:
    """Trees learn a few hundred rows by heart."""
    parts, later = [few_people(seed) for seed in range(4)], [few_people(seed) for seed in range(4, 24)]
    model = Propensity(parts[:3], parts[3:])
    alone = [roc_auc_score(part.bought, model.trees.decision_function(part.inputs)) for part in later]
    assert measured_on(later, model, (25,)).rankings["propensity"].auc > np.mean(alone)


def few_people(seed: int) -> Labelled:
    """250 users who buy the more often the more baskets they had, among statistics that are noise."""
    random = np.random.default_rng(seed)
    inputs = random.lognormal(size=(250, NUMBERS + len(names.USER_PROFILE))).astype(np.float32)
    inputs[:, FREQUENCY] = random.integers(0, 40, 250)
    return Labelled(inputs, random.random(250) < (0.05 + inputs[:, FREQUENCY] / 50))


def test_windows_of_the_other_event_types_are_read(empty_workspace: Workspace) -> None:
    timeline = built(empty_workspace, PURCHASES, ACTIVITY)
    apply_definitions(empty_workspace)
    users = np.array(["u1", "u3", "nobody"], dtype=object)
    known = activity_as_of(open_store(empty_workspace), users, np.full(3, timeline.cutoff))
    assert known[:, names.USER_ACTIVITY.index("user_likes_28d")].tolist() == [3, 0, 0]
    assert known[:, names.USER_ACTIVITY.index("user_category_views_28d")].tolist() == [0, 1, 0]
    assert not known[2].any()


def test_bins_hold_equally_many_users_and_the_error_is_their_mean_distance() -> None:
    probabilities = np.repeat([0.9, 0.1], 10)
    bought = np.array([True] * 8 + [False] * 2 + [False] * 10)
    bins = reliability(probabilities, bought)
    assert [one.cases for one in bins] == [2] * 10
    assert [one.observed for one in bins] == [0, 0, 0, 0, 0, 1, 1, 1, 1, 0]
    report = PropensityReport(1, 20, 0.4, {}, bins)
    # Five bins at .1, nobody bought; four at .9, all did; one at .9, nobody did: (5 * .1 + 4 * .1 + .9) / 10
    assert report.calibration_error == pytest.approx(0.18)
    uneven = replace(report, bins=(ReliabilityBin(3, 0.5, 0.5), ReliabilityBin(1, 1.0, 0.0)))
    assert uneven.calibration_error == pytest.approx(0.25)


@pytest.mark.parametrize(("bought", "said"), [(True, "All of 50 users"), (False, "None of 50 users")])
def test_where_everybody_or_nobody_buys_there_is_nothing_to_learn(bought: bool, said: str) -> None:
    same = replace(people(1, 50), bought=np.full(50, bought))
    with pytest.raises(InvalidInput, match=said):
        Propensity([same], [same])


@pytest.mark.tf
def test_batch_writes_exactly_the_most_likely_buyers(trained: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "mail.parquet"
    options = ["--root", str(trained.root), "--before-test", "--n", "25", "--output", str(path)]
    said = CliRunner().invoke(app, ["batch", *options, "--most-likely-buyers", "60", "--horizon-days", "7"])
    assert said.exit_code == 0, said.output
    assert "60 users" in said.output
    assert "most recent buyers" in said.output
    table = pq.read_table(path)
    assert table.column_names == ["user_id", "products"]
    assert len(set(table["user_id"].to_pylist())) == 60
    assert {len(items) for items in table["products"].to_pylist()} == {25}
    limit = ["evaluate-submission", "--root", str(trained.root), str(path), "--max-users"]
    assert CliRunner().invoke(app, [*limit, "60"]).exit_code == 0
    with pytest.raises(InvalidInput, match="has 60 users, at most 59 are allowed"):
        CliRunner().invoke(app, [*limit, "59"], catch_exceptions=False)


@pytest.mark.tf
def test_more_users_than_there_are_is_said(trained: Workspace, tmp_path: Path) -> None:
    options = ["--root", str(trained.root), "--n", "5", "--output", str(tmp_path / "mail.csv")]
    said = CliRunner().invoke(app, ["batch", *options, "--most-likely-buyers", "3000"])
    assert said.exit_code == 0, said.output
    assert "3,000 users were asked for and the data has 250: all of them are listed" in " ".join(said.output.split())
    assert len((tmp_path / "mail.csv").read_text().splitlines()) == 251

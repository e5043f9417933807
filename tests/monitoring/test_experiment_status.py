"""Lift of an experiment: values by hand, users and not lists, and everything left out said."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts.api.answers import DegradedLevel
from contracts.api.records import ImpressionRecord
from contracts.errors import MissingArtifact
from monitoring.experiment import Arm, experiment_status, lift
from monitoring.responses import answered_requests, shown_lists
from tandem.__main__ import app


def shown(
    user: str, variant: str, propensity: float = 0.5, *, request: str = "", forced: bool = False
) -> ImpressionRecord:
    return ImpressionRecord(
        request_id=request or f"{user}-{variant}",
        served_at="2026-01-01T00:00:00+00:00",
        user_id=user,
        bundle_version="b",
        variant=variant,
        propensity=propensity,
        forced=forced,
        degraded_level=DegradedLevel.FULL,
        item_ids=[],
        scores=[],
        features={},
    )


def test_users_are_counted_once_however_many_lists_they_saw() -> None:
    lists = [shown("u1", "stable", request="a"), shown("u1", "stable", request="b"), shown("u2", "challenger")]
    found = experiment_status(lists, {"a", "b", "unknown"})
    assert [(arm.variant, arm.users, arm.responded) for arm in found.arms] == [("stable", 1, 1), ("challenger", 1, 0)]


def test_lists_that_were_not_drawn_and_users_of_several_variants_are_left_out_and_counted() -> None:
    lists = [
        shown("u1", "stable"),
        shown("u1", "challenger", forced=True),
        shown("u2", "stable"),
        shown("u2", "challenger"),
        shown("u3", "stable", 1.0),
    ]
    found = experiment_status(lists, {"u1-challenger"})
    assert [(arm.variant, arm.users, arm.responded) for arm in found.arms] == [("stable", 1, 0)]
    assert (found.outside, found.moved) == (2, 1)


def test_lift_and_interval_by_hand() -> None:
    """30/200 over 20/200 is 1.5; s² = 1/30 − 1/200 + 1/20 − 1/200 = 0.073333, s = 0.270801,
    1.5 · exp(∓1.959964 · 0.270801) = 0.8822 and 2.5503."""
    found = lift(Arm("challenger", 200, 30, 200.0), Arm("stable", 200, 20, 200.0))
    assert found is not None
    assert (found.estimate, found.low, found.high) == pytest.approx((0.5, -0.1178, 1.5503), abs=1e-4)


def test_without_responses_there_is_no_lift() -> None:
    assert lift(Arm("challenger", 10, 0, 10.0), Arm("stable", 10, 3, 10.0)) is None
    assert lift(Arm("challenger", 10, 3, 10.0), Arm("stable", 10, 0, 10.0)) is None


@pytest.mark.parametrize(("challengers", "off"), [(90, False), (110, False), (140, True), (60, True)])
def test_a_split_that_contradicts_the_propensities_is_found(challengers: int, off: bool) -> None:
    """Of 1,000 users at a share of 0.1, 100 are expected with a deviation of 9.5; 3.29 of these are 31."""
    lists = [shown(f"c{user}", "challenger", 0.1) for user in range(challengers)]
    lists += [shown(f"s{user}", "stable", 0.9) for user in range(1000 - challengers)]
    found = experiment_status(lists, set())
    assert [arm.expected_users for arm in found.arms] == pytest.approx([900, 100])
    assert found.split_is_off is off


def test_one_bundle_for_everybody_is_no_mismatch() -> None:
    assert not experiment_status([shown("u1", "stable", 1.0)], set()).split_is_off
    assert not experiment_status([], set()).split_is_off


def test_lines_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    impressions, interactions = tmp_path / "shown.jsonl", tmp_path / "done.jsonl"
    impressions.write_text(shown("u1", "stable").model_dump_json() + "\n{torn\n")
    interactions.write_text('{"request_id": "u1-stable"}\n{"item_id": "i"}\n[]\n{torn\n')
    records, malformed = shown_lists(impressions)
    assert ([record.user_id for record in records], malformed) == (["u1"], 1)
    assert answered_requests(interactions) == ({"u1-stable"}, 1, 2)
    with pytest.raises(MissingArtifact, match="impression log"):
        shown_lists(tmp_path / "gone")


def test_the_command_shows_arms_and_what_was_left_out(tmp_path: Path) -> None:
    impressions, interactions = tmp_path / "shown.jsonl", tmp_path / "done.jsonl"
    lists = [shown(f"u{user}", "challenger" if user % 2 else "stable") for user in range(400)]
    impressions.write_text("".join(one.model_dump_json() + "\n" for one in lists) + "torn\n")
    ids = [one.request_id for one in lists if one.variant == "stable"][:20]
    ids += [one.request_id for one in lists if one.variant == "challenger"][:30]
    interactions.write_text("".join(json.dumps({"request_id": request_id}) + "\n" for request_id in ids))
    command = ["experiment", "status", "--impressions", str(impressions), "--interactions", str(interactions)]
    said = CliRunner().invoke(app, command, env={"COLUMNS": "120"}, catch_exceptions=False).output
    assert "+50.0% (-11.8% to +155.0%)" in said
    assert "lines that cannot be read: 1" in said
    assert "contradict" not in said

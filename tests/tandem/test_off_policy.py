"""The command that judges lists before anybody is shown them, on explored lists of the trained slice."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts.api.records import ImpressionRecord
from contracts.api.requests import RecommendationRequest
from contracts.errors import InvalidInput
from serving.rule_sandbox import would_show
from tandem.__main__ import app
from tandem.sandbox import recommenders
from training.workspace import Workspace


def test_a_policy_shows_its_best_item_that_is_left() -> None:
    """Order a b c d. Shown b, a, d: b is not a; a is the best left of b; then c would come, not d."""
    assert would_show(["b", "a", "d"], ["a", "b", "c", "d"]) == [False, True, False]
    assert would_show(["a", "b"], ["a", "b"]) == [True, True]
    assert would_show(["a", "b"], ["a"]) == [True, False]  # the judged list has ended


def record(request_id: str, user: str, items: list[str], chances: list[float]) -> str:
    return ImpressionRecord.model_validate(
        {
            "request_id": request_id,
            "served_at": "2026-11-21T00:00:00+00:00",
            "user_id": user,
            "bundle_version": "b",
            "degraded_level": "full",
            "item_ids": items,
            "scores": [1.0] * len(items),
            "item_propensities": chances,
            "features": {},
        }
    ).model_dump_json()


@pytest.mark.tf
def test_the_estimate_is_of_places_that_the_judged_list_would_have_had(trained: Workspace, tmp_path: Path) -> None:
    user = "1023"
    (judged,) = recommenders(trained, "current", (None,), historical=True)
    first, second, third = judged.listed(RecommendationRequest(user_id=user, n=3)).item_ids
    log, clicks = tmp_path / "log.jsonl", tmp_path / "clicks.jsonl"
    log.write_text(
        "\n".join(
            [
                record("agreed", user, [first, second], [0.5, 0.5]),
                record("other", user, [third, first], [0.25, 0.5]),
                record("not-explored", user, [first], []),
            ]
        )
    )
    clicks.write_text("\n".join([json.dumps({"request_id": "agreed", "item_id": first}), "nonsense"]))
    command = ["off-policy", "--interactions", str(clicks), "--impressions", str(log), "--historical"]
    told = CliRunner().invoke(app, [*command, "--root", str(trained.root)], catch_exceptions=False).output
    # Served: 1 click on 4 places. Weights 1/.5 for both of "agreed" and for the first item of "other", 0 for the third:
    # IPS 2 · 1 / 4 = .5, SNIPS 2 / 6 = .333; effective places 6² / 12 = 3.
    for part in ("25.00%", "50.00%", "33.33%", "4 explored places, worth 3", "1 lists (not explored", "1 interactions"):
        assert part in " ".join(told.split())
    assert "shown too rarely" in told


@pytest.mark.tf
def test_a_log_without_exploration_is_refused_with_a_way_to_explore(trained: Workspace, tmp_path: Path) -> None:
    log, clicks = tmp_path / "log.jsonl", tmp_path / "clicks.jsonl"
    log.write_text(record("plain", "1023", ["x"], []))
    clicks.write_text("")
    with pytest.raises(InvalidInput, match=r"None of the 1 lists in the log was explored.*explore: \{share"):
        CliRunner().invoke(
            app,
            ["off-policy", "--interactions", str(clicks), "--impressions", str(log), "--root", str(trained.root)],
            catch_exceptions=False,
        )

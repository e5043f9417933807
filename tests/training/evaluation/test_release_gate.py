"""What a release that loses meets: `tandem bundle` and `tandem promote` leave what serves, and say why."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from contracts.bundle.promotions import current_version, promote
from tandem.__main__ import app
from tandem.commands.pipeline import promote_if_good
from tests.support.bundles.sealed import PARTS, make_bundle
from training.evaluation.gate import GateFailed


def gate(mean: float) -> dict[str, Any]:
    return {"rivals": {"gp_top_freq": {"mean": mean, "low": mean - 0.01, "high": mean + 0.01}}, "champion": "none"}


@pytest.fixture
def serving(tmp_path: Path) -> Path:
    """A bundle that serves."""
    bundle = make_bundle(tmp_path / "bundles", metrics={"gate": gate(0.1)})
    promote(bundle)
    return bundle


def loser(serving: Path) -> Path:
    return make_bundle(serving.parent, PARTS | {"items.npz": b"worse"}, metrics={"gate": gate(-0.1)})


def test_a_new_bundle_that_loses_is_not_promoted_and_why_is_said(
    serving: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    promote_if_good(loser(serving), force=False)
    assert current_version(serving.parent) == serving.name
    said = capsys.readouterr().out
    assert "not promoted: the final list loses to own habits, then bestsellers by 0.1000 NDCG@20" in said
    assert "--force` makes it serve" in said


@pytest.mark.parametrize(("mean", "force"), [(-0.1, True), (0.1, False), (-0.005, False)])
def test_a_bundle_that_loses_to_none_or_is_forced_serves(
    serving: Path, mean: float, force: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = make_bundle(serving.parent, PARTS | {"items.npz": b"new"}, metrics={"gate": gate(mean)})
    promote_if_good(bundle, force=force)
    assert current_version(serving.parent) == bundle.name
    assert "  promoted: " in capsys.readouterr().out


def test_promote_refuses_what_lost_unless_it_is_forced(serving: Path) -> None:
    bundle, root = loser(serving), str(serving.parent.parent)
    refused = CliRunner().invoke(app, ["promote", bundle.name, "--root", root])
    assert isinstance(refused.exception, GateFailed)
    assert current_version(serving.parent) == serving.name
    assert CliRunner().invoke(app, ["promote", bundle.name, "--force", "--root", root]).exit_code == 0
    assert current_version(serving.parent) == bundle.name

"""`from tandem import recommend` on the trained slice: the list that a server gives."""

from pathlib import Path

import pytest

from contracts.api.requests import RecommendationRequest
from contracts.errors import BundleRefused, InvalidInput, MissingArtifact
from serving.runtime.stage_batching import alone
from tandem import recommend
from tandem.sandbox import recommenders
from training.workspace import Workspace

USER = "1023"


@pytest.mark.tf
def test_the_list_is_the_servers_with_reasons(trained: Workspace) -> None:
    (server,) = recommenders(trained, "current", (None,), historical=True)
    expected = alone(server.steps(RecommendationRequest(user_id=USER, n=5, explain=True), shown=False)).items
    items = recommend(USER, n=5, bundle=trained.bundles / "current", explain=True).items
    assert len(items) == 5
    assert [(item.item_id, item.score) for item in items] == [(item.item_id, item.score) for item in expected]
    assert all(item.explanation and item.explanation.reason for item in items)


@pytest.mark.tf
def test_a_bundle_is_loaded_once(trained: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    recommend(USER, bundle=trained.bundles / "current")
    monkeypatch.setattr("serving.bundles.bundle.load_bundle", lambda _: pytest.fail("loaded again"))
    assert recommend(USER, n=3, bundle=str(trained.bundles / "current")).user_id == USER


@pytest.mark.tf
def test_what_cannot_be_answered_is_said(trained: Workspace, tmp_path: Path) -> None:
    current = trained.bundles / "current"
    with pytest.raises(InvalidInput, match="colour: there is no such field; there is category, "):
        recommend(USER, bundle=current, colour="red")
    with pytest.raises(InvalidInput, match="n: "):
        recommend(USER, n=0, bundle=current)
    with pytest.raises((MissingArtifact, BundleRefused), match="nothing-here"):
        recommend(USER, bundle=tmp_path / "bundles" / "nothing-here")

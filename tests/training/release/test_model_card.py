"""The card of a trained bundle: every figure of the run is on it, as text and as a page."""

import json
from html.parser import HTMLParser

import pytest

from contracts.bundle.files import EVALUATION, MODEL_CARD, MODEL_CARD_PAGE
from contracts.bundle.manifest import read_manifest
from training.evaluation.gate import champion_at
from training.release.model_card import candidates_table, markdown
from training.release.model_card_page import page
from training.workspace import Workspace


def test_the_card_in_the_bundle_says_what_the_run_measured(trained: Workspace) -> None:
    bundle = trained.bundles / "current"
    card, metrics = (bundle / MODEL_CARD).read_text(), read_manifest(bundle).metrics
    final = metrics["backtest"][-1]["all_items"]["final_list"]["ndcg@20"]
    assert f"| Tandem's list | {final['mean']:.4f} ({final['low']:.4f}-{final['high']:.4f})" in card
    assert final["mean"] == pytest.approx(metrics["all_items"]["final_list"]["ndcg@20"])
    users = "Users by history", "Users by segment"
    for part in ("Gate", "Rolling origin", *users, "Length of the list", "Candidates", "Calibration"):
        assert f"\n## {part}\n" in card
    assert "| age band: unknown | " in card
    assert {EVALUATION, MODEL_CARD, MODEL_CARD_PAGE} <= read_manifest(bundle).files.keys()


def test_the_champion_of_the_next_release_is_the_one_that_serves(trained: Workspace) -> None:
    champion, metrics = champion_at(trained.bundles / "current"), json.loads(trained.metrics.read_text())
    assert champion is not None
    mean = sum(champion.values.values()) / len(champion.values)
    assert mean == pytest.approx(metrics["all_items"]["final_list"]["ndcg@20"])


def test_the_page_is_whole_and_needs_no_network(trained: Workspace) -> None:
    found: list[str] = []

    class Sources(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.extend(value for name, value in attrs if name == "src" and value)

    text = page(json.loads(trained.metrics.read_text()), {"items": "92,331"})
    Sources().feed(text)
    assert not found
    assert text.count("<section") == 8 and "items 92,331" in text


def test_a_shop_without_profiles_has_no_segments_on_its_card(trained: Workspace) -> None:
    metrics = json.loads(trained.metrics.read_text()) | {"by_segment": []}
    assert "Users by segment" not in markdown(metrics, {})
    assert "Kinds of customers" not in page(metrics, {})


def test_a_part_in_which_no_list_found_anything_is_a_sentence_and_no_plot(trained: Workspace) -> None:
    metrics = json.loads(trained.metrics.read_text())
    nothing = {"ndcg@20": {"mean": 0.0, "low": 0.0, "high": 0.0}}
    metrics["backtest"][-1]["cold_items"] = {"popularity": nothing, "final_list": nothing}
    text = page(metrics, {})
    assert "Items that nobody had bought: no list held any that was bought." in text
    assert "Items that nobody had bought: the best order" not in text


def test_a_refusal_and_a_window_without_discoveries_are_on_the_card(trained: Workspace) -> None:
    metrics = json.loads(trained.metrics.read_text())
    metrics["gate"]["rivals"]["champion"] = {"mean": -0.05, "low": -0.06, "high": -0.04}
    metrics["backtest"][-1]["new_to_user"] = {}
    metrics["ranker"] = {"model": "trees", "validation_ndcg@20": {"neural": 0.36, "trees": 0.37}}
    card = markdown(metrics, {})
    assert "Refused: the final list loses to the list that serves today by 0.0500 NDCG@20" in card
    assert "### New to the user" not in card
    assert "gradient-boosted trees, log loss; NDCG@20 on the last label window: neural 0.3600, trees 0.3700" in card
    assert "Refused: " in page(metrics, {})


def test_the_simplest_union_is_named_once_where_nothing_was_cut_off() -> None:
    own = {"mean_candidates": 4.0, "recall_union": 1.0}
    whole = {"mean_simple_candidates": 3.0, "recall_simple_union": 0.5}
    uncut = {"mean_simple_candidates_uncut": 3.0, "recall_simple_union_uncut": 0.5}
    longer = {"mean_simple_candidates_uncut": 6.0, "recall_simple_union_uncut": 0.75}
    assert candidates_table({"candidates": own | whole | uncut}).count("own history and the most popular") == 1
    assert candidates_table({"candidates": own | whole | longer}).count("own history and the most popular") == 2

"""What Tandem 0.1 wrote still loads and answers."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from contracts.api.requests import RecommendationRequest
from contracts.bundle.promotions import PROMOTIONS, point_current, promotions, rollback
from contracts.events.interactions import Interaction
from contracts.events.items import CatalogueItem
from rollout.record.state import Record
from serving.bundles.bundle import LoadedBundle, load_bundle
from serving.bundles.release import OneRelease
from serving.events.open_log import open_log
from serving.features.lookup import FeastLookup
from serving.metrics import Metrics
from serving.recommendation.context import nobody
from serving.runtime.clock import frozen_clock
from tests.support.bundles.sealed import PARTS, make_bundle
from tests.support.lists.recommender import new_recommender, recommend

WRITTEN = Path(__file__).resolve().parents[1] / "fixtures" / "version_0_1"


class Nobody:
    """A feature lookup that knows users without any history."""

    def user(self, user_id: str) -> dict[str, object] | None:
        return nobody()

    def bought_before(self, user_id: str) -> list[str] | None:
        return []

    def companions(self, item_id: str) -> list[tuple[str, int]]:
        return []


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> LoadedBundle:
    folder = tmp_path_factory.mktemp("bundles")
    shutil.unpack_archive(WRITTEN / "bundle.zip", folder)
    (only,) = folder.iterdir()
    return load_bundle(only)


def test_a_bundle_of_version_0_1_has_its_settings_under_todays_names(bundle: LoadedBundle) -> None:
    assert bundle.manifest.hyper_parameters["ranker"]["num_looked"] == 50
    ranker = bundle.manifest.parameters("ranker")
    assert ranker["num_engaged"] == bundle.plan.num_engaged == 50
    assert ranker["distillation_weight"] == 3.0
    assert bundle.manifest.parameters("two_tower")["cold_user_share"] == 0.2


def test_a_bundle_of_version_0_1_answers(bundle: LoadedBundle) -> None:
    metrics, now = Metrics(CollectorRegistry()), frozen_clock(bundle.manifest.data_end_timestamp)
    recommender = new_recommender(OneRelease(bundle, "stable"), Nobody(), metrics, now)
    context = [bundle.item_ids[3], bundle.item_ids[7]]
    answer = recommend(recommender, RecommendationRequest(user_id="somebody", n=10, context=context))
    assert (answer.degraded_level, len(answer.items)) == ("full", 10)
    assert np.isfinite([item.score for item in answer.items]).all()
    assert not {item.item_id for item in answer.items} & set(context)


def test_an_event_log_of_version_0_1_is_read(tmp_path: Path) -> None:
    shutil.copy(WRITTEN / "events.db", tmp_path)
    interactions, items = (open_log(f"sqlite:///{tmp_path}/events.db", stream) for stream in ("interactions", "items"))
    events = [Interaction.model_validate_json(entry.payload) for entry in interactions.read(0, 10)]
    assert [(event.event_id, event.event_type.value, event.item_id) for event in events] == [
        ("e1", "purchase", "item_id-3"),
        ("e2", "view", "item_id-4"),
        ("e3", "cart_add", "item_id-5"),
    ]
    (item,) = [CatalogueItem.model_validate_json(entry.payload) for entry in items.read(0, 10)]
    assert (item.item_id, item.price) == ("new-item", 2.5)
    assert interactions.end() == 3
    interactions.close()
    items.close()


def test_an_online_store_of_version_0_1_is_read(tmp_path: Path) -> None:
    shutil.unpack_archive(WRITTEN / "online_store.zip", tmp_path)
    lookup = FeastLookup(tmp_path / "feature_repo", timeout_seconds=5)
    ada = lookup.user("ada")
    assert ada is not None
    bought = {"item-8": 9, "item-4": 10, "item-7": 6, "item-9": 6, "item-2": 4, "item-0": 5}
    bought |= {"item-6": 10, "item-11": 7, "item-3": 7, "item-10": 5, "item-5": 5, "item-1": 8}
    assert dict(zip(ada["history_item_ids"], ada["history_counts"], strict=True)) == bought
    assert ada["user_purchases_365d"] == sum(bought.values()) == 82
    assert lookup.user("nobody") is None
    assert lookup.bought_before("ada") is None  # 0.1 did not keep it, which is not the same as nothing bought


def test_promotions_of_version_0_1_lead_back(tmp_path: Path) -> None:
    """Promoted: oldest, older; rolled back to oldest; promoted: what serves. A rollback passes over what was left."""
    made = {name: make_bundle(tmp_path, PARTS | {"items.npz": name.encode()}) for name in ("OLDEST", "OLDER", "SERVES")}
    written = (WRITTEN / "promotions.jsonl").read_text()
    for name, folder in made.items():
        written = written.replace(name, folder.name)
    (tmp_path / PROMOTIONS).write_text(written)
    point_current(made["SERVES"])
    assert [change.rolled_back_from for change in promotions(tmp_path)] == [None, None, made["OLDER"].name, None]
    assert rollback(tmp_path).bundle_version == made["OLDEST"].name


def test_a_rollout_record_of_version_0_1_is_read() -> None:
    record = Record.model_validate_json((WRITTEN / "rollout.json").read_text())
    assert record.rollout is not None and record.rollout.ended
    assert record.history == ("s3://shop/bundles/a", "s3://shop/bundles/b")
    assert record.refused == {"s3://shop/bundles/c": "errors: too many"}

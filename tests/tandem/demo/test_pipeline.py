"""The demo's steps on the trained slice: real first and small bundles, with DVC's stages as a test says they are."""

import json
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml
from onnxruntime import InferenceSession
from prometheus_client import CollectorRegistry

from contracts.api import progress
from contracts.api.answers import DegradedLevel
from contracts.api.progress import State
from contracts.api.requests import RecommendationRequest
from contracts.bundle.files import INDEX, QUERY_TOWER
from contracts.bundle.manifest import read_manifest, verify
from contracts.bundle.promotions import current_version, promote, promotions
from contracts.errors import TandemError
from serving.bundles.bundle import load_bundle
from serving.bundles.release import OneRelease
from serving.features.lookup import FeastLookup
from serving.metrics import Metrics
from serving.recommender import Recommender
from serving.related_items import RelatedItems
from serving.runtime.clock import frozen_clock
from tandem.demo.pipeline import FULL_STAGES, INGEST, NOT_BETTER, RAW_FILES, Demo, build, promote_small
from tandem.demo.plan import first_settings, lean_workspace, small_settings
from tandem.demo.record import Record
from tandem.demo.steps import TITLES, Step
from tandem.demo.times import Times
from tests.support.lists.recommender import new_recommender, recommend
from tests.support.workspaces.workspace import SLICE, new_workspace
from training.dataset.cold_users import cold_users_of
from training.dataset.dataset import Dataset
from training.params_file import load_settings
from training.progress import Progress
from training.retrieval.embeddings import Embeddings
from training.retrieval.title_towers import export_title_towers
from training.settings import IndexSettings, Settings
from training.workspace import Workspace

HOUSEHOLDS = 100
FEW_ROWS = SLICE.replace("ranker: {", "ranker: {trees: 10, tree_rows: 5000, ")
"""The slice's parameters, with trees that learn in a second: how good they are shows nothing here."""


@dataclass
class FakeStages:
    """Stages whose outputs are the trained slice's, after an ingest of fewer purchases."""

    workspace: Workspace
    trained: Workspace
    purchases: Path
    due: set[str] = field(default_factory=lambda: {RAW_FILES, INGEST, *FULL_STAGES})
    ran: list[str] = field(default_factory=list)
    breaks: str = ""

    def changed(self, name: str) -> bool:
        return name in self.due

    def run(self, name: str) -> None:
        if name == self.breaks:
            raise TandemError("the disk is full")
        self.ran.append(name)
        self.due.remove(name)
        if name == INGEST:
            shutil.copytree(self.purchases, self.workspace.data / "ingested", dirs_exist_ok=True)
        if name == "bundle":
            version = json.loads(self.trained.bundle_receipt.read_text())["bundle_version"]
            shutil.copytree(self.trained.bundles / version, self.workspace.bundles / version)
            for source, target in ((self.trained, self.workspace),):
                shutil.copy(source.bundle_receipt, target.bundle_receipt)
                shutil.copy(source.metrics, target.metrics)
            promote(self.workspace.bundles / version)


def demo_in(workspace: Workspace, stages: FakeStages) -> Demo:
    folder = workspace.data / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    steps = [progress.Step(name=step, title=title) for step, title in TITLES.items()]
    record = Record(folder / "progress.json", steps, Times(folder / "times.json"))
    return Demo(workspace, load_settings(workspace.root / "params.yaml"), stages, record)


@pytest.fixture(scope="module")
def purchases(trained: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ingest writes of some of the slice's households, and of the items that they bought."""
    folder = tmp_path_factory.mktemp("purchases") / "ingested"
    shutil.copytree(trained.data / "ingested", folder)
    users = pq.read_table(folder / "users.parquet")[:HOUSEHOLDS]
    events = pq.read_table(folder / "events.parquet")
    events = events.filter(pc.is_in(events["user_id"], users["user_id"]))
    items = pq.read_table(folder / "items.parquet")
    pq.write_table(users, folder / "users.parquet")
    pq.write_table(events, folder / "events.parquet")
    pq.write_table(items.filter(pc.is_in(items["item_id"], events["item_id"])), folder / "items.parquet")
    return folder


@pytest.fixture(scope="module")
def first(trained: Workspace, purchases: Path, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A demo that has made its first bundle, of the slice's purchases."""
    workspace = new_workspace(tmp_path_factory.mktemp("demo"), FEW_ROWS)
    demo = demo_in(workspace, FakeStages(workspace, trained, purchases))
    build(demo, Step.FIRST)
    return demo


@pytest.fixture(scope="module")
def finished(first: Demo) -> Demo:
    """The same after a second start, which went on to the full bundle."""
    assert isinstance(first.stages, FakeStages)
    demo = demo_in(first.workspace, first.stages)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("training.retrieval.train.train_towers", untrained_towers)
        build(demo, Step.FULL)
    return demo


def untrained_towers(workspace: Workspace, settings: Settings, _: Progress) -> None:
    """Leaves what the training of towers leaves, from titles alone: a minute of TensorFlow shows nothing new here."""
    dataset, embeddings, flat = Dataset(workspace), Embeddings(workspace.towers), IndexSettings(factory="Flat")
    export_title_towers(dataset.text, workspace.towers)
    tower = InferenceSession(str(workspace.towers / QUERY_TOWER))
    for seconds in dataset.timeline.history_snapshots:
        moment = dataset.moment(seconds)
        cold = cold_users_of(dataset, moment, settings.two_tower)
        embeddings.save(seconds, tower.run(None, moment.queries)[0], dataset.text, flat)
        embeddings.save_cold_users(seconds, tower.run(None, cold.queries)[0])
    shutil.copy(embeddings.index_path(dataset.timeline.data_end), workspace.towers / INDEX)


def steps_of(demo: Demo) -> dict[str, progress.Step]:
    return {step.name: step for step in demo.record.now().steps}


def history_of(demo: Demo) -> list[str]:
    return [change.bundle_version for change in promotions(demo.workspace.bundles)]


def recommender_of(demo: Demo, version: str) -> tuple[Recommender, str]:
    """(a recommender over the demo's bundle and online store, an example user)."""
    bundle = load_bundle(demo.workspace.bundles / version)
    metrics, now = Metrics(CollectorRegistry()), frozen_clock(bundle.manifest.data_end_timestamp)
    lookup = FeastLookup(demo.workspace.feature_repo)
    return new_recommender(OneRelease(bundle, "demo"), lookup, metrics, now), bundle.manifest.example_user_ids[0]


def test_the_first_bundle_answers_by_the_full_path_with_own_purchases_first(first: Demo) -> None:
    version = steps_of(first)["first"].bundle_version
    assert version is not None and history_of(first)[0] == version
    verify(first.workspace.bundles / version)
    recommender, user = recommender_of(first, version)
    answer = recommend(recommender, RecommendationRequest(user_id=user, n=10, explain=True))
    assert answer.degraded_level is DegradedLevel.FULL and len(answer.items) == 10
    assert "repeat" in answer.items[0].source
    explanation = answer.items[0].explanation
    assert explanation is not None and "You" in explanation.reason
    scores = [item.score for item in answer.items]
    assert scores == sorted(scores, reverse=True)


def test_the_first_bundle_keeps_filters_and_lists_what_is_popular_to_somebody_new(first: Demo) -> None:
    recommender, user = recommender_of(first, str(steps_of(first)["first"].bundle_version))
    only = recommend(recommender, RecommendationRequest(user_id=user, n=5, department=["Produce"]))
    assert {item.department.casefold() for item in only.items} == {"produce"}
    nobody = recommend(recommender, RecommendationRequest(user_id="nobody", n=5))
    assert nobody.degraded_level is DegradedLevel.POPULARITY and len(nobody.items) == 5


def test_what_is_bought_together_is_known_with_the_first_bundle(first: Demo) -> None:
    bundle = load_bundle(first.workspace.bundles / str(steps_of(first)["first"].bundle_version))
    releases, lookup = OneRelease(bundle, "demo"), FeastLookup(first.workspace.feature_repo)
    items = RelatedItems(releases, lookup, Metrics(CollectorRegistry()))
    popular = [bundle.item_ids[row] for row in bundle.items.popular[:5]]
    assert all(items.also_bought(item).items for item in popular)


def test_each_bundle_has_its_figure_and_serves_unless_it_is_noted_to_lose(finished: Demo) -> None:
    steps = steps_of(finished)
    # Towers that have learned nothing make a small bundle that may lose to counts.
    served = [name for name in ("first", "small", "full") if steps[name].note is None]
    assert history_of(finished) == [steps[name].bundle_version for name in served]
    assert {"first", "full"} <= {*served}
    assert all(0 < (step.ndcg or 0) < 1 for step in steps.values())
    assert finished.record.now().state is State.DONE
    small = read_manifest(finished.workspace.bundles / str(steps["small"].bundle_version))
    assert small.hyper_parameters["ranker"]["model"] == "trees"
    assert {"final_list", "gp_top_freq", "counted"} <= small.metrics["all_items"].keys()
    recommender, user = recommender_of(finished, small.bundle_version)
    answer = recommend(recommender, RecommendationRequest(user_id=user, n=10))
    assert answer.degraded_level is DegradedLevel.FULL


@pytest.mark.parametrize(("difference", "note"), [(0.1, None), (-0.1, NOT_BETTER)])
def test_a_small_bundle_serves_unless_it_loses(finished: Demo, difference: float, note: str | None) -> None:
    versions = {name: str(step.bundle_version) for name, step in steps_of(finished).items()}
    tables = {"final_list": {"ndcg@20": 0.4}, "counted": {"ndcg@20": 0.3}}
    rivals = {"counted": {"mean": difference, "low": difference, "high": difference, "users": 40}}
    promote(finished.workspace.bundles / versions["first"])
    promote_small(finished, versions["small"], {"gate": {"rivals": rivals}, "all_items": tables})
    assert current_version(finished.workspace.bundles) == versions["first" if note else "small"]
    now = steps_of(finished)
    assert (now["first"].ndcg, now["small"].ndcg, now["small"].note) == (0.3, 0.4, note)
    promote(finished.workspace.bundles / versions["full"])


def test_what_dvc_keeps_account_of_is_left_to_its_stages(finished: Demo) -> None:
    assert isinstance(finished.stages, FakeStages)
    assert finished.stages.ran == [RAW_FILES, INGEST, *FULL_STAGES]
    assert not (finished.workspace.data / "features").exists()  # the fake stages wrote none, and no step did


def test_the_stages_are_those_of_dvc_yaml_in_its_order() -> None:
    stages = yaml.safe_load((Path(__file__).resolve().parents[3] / "dvc.yaml").read_text())["stages"]
    assert [*stages] == [RAW_FILES, INGEST, *FULL_STAGES]


def test_a_start_with_nothing_to_do_does_nothing(finished: Demo, trained: Workspace, purchases: Path) -> None:
    before, served = history_of(finished), steps_of(finished)
    stages = FakeStages(finished.workspace, trained, purchases, due=set())
    again = demo_in(finished.workspace, stages)
    build(again, Step.FULL)
    assert stages.ran == [] and history_of(again) == before and steps_of(again) == served


def test_an_ingest_that_finds_the_same_data_takes_no_step_back(
    finished: Demo, trained: Workspace, purchases: Path
) -> None:
    before, served = history_of(finished), steps_of(finished)
    stages = FakeStages(finished.workspace, trained, purchases, due={INGEST})
    again = demo_in(finished.workspace, stages)
    build(again, Step.FULL)
    assert stages.ran == [INGEST] and history_of(again) == before and steps_of(again) == served
    assert not again.due.exists()


def test_a_stage_that_fails_leaves_what_serves_and_is_where_the_next_start_goes_on(
    finished: Demo, trained: Workspace, purchases: Path
) -> None:
    serves = current_version(finished.workspace.bundles)
    stages = FakeStages(finished.workspace, trained, purchases, due={"train-ranker", "evaluate"}, breaks="evaluate")
    failing = demo_in(finished.workspace, stages)
    with pytest.raises(TandemError, match="the disk is full"):
        build(failing, Step.FULL)
    assert failing.record.last == "step full, evaluating against simple lists"
    assert current_version(finished.workspace.bundles) == serves and stages.due == {"evaluate"}
    stages.breaks = ""
    build(demo_in(finished.workspace, stages), Step.FULL)
    assert stages.ran == ["train-ranker", "evaluate"]


def test_new_data_that_was_broken_off_begins_with_its_first_bundle(
    empty_workspace: Workspace, trained: Workspace, purchases: Path
) -> None:
    stages = FakeStages(empty_workspace, trained, purchases, breaks=INGEST)
    demo = demo_in(empty_workspace, stages)
    with pytest.raises(TandemError, match="the disk is full"):
        build(demo, Step.FIRST)
    assert demo.due.exists()


def test_fewer_weeks_and_windows_never_more_than_asked_for() -> None:
    asked = Settings()
    small = small_settings(asked)
    assert (small.features.ranker_windows, small.features.two_tower_weeks) == (1, 8)
    assert (small.two_tower.epochs, small.two_tower.fine_tune_epochs, small.ranker.trees) == (1, 1, 60)
    assert (small.two_tower.min_steps, small.ranker.tree_rows, small.index.factory) == (100, 200_000, "Flat")
    assert small.features.test_days == asked.features.test_days and small.ingest == asked.ingest
    little = replace(asked, two_tower=replace(asked.two_tower, epochs=1, fine_tune_epochs=0))
    assert (small_settings(little).two_tower.epochs, small_settings(little).two_tower.fine_tune_epochs) == (1, 0)
    long = replace(asked, features=replace(asked.features, test_days=70))
    assert first_settings(long).features.two_tower_weeks == 11  # 70 days are ten weeks, and one more


def test_a_lean_folder_has_its_own_definitions_and_the_projects_online_store(empty_workspace: Workspace) -> None:
    lean = lean_workspace(empty_workspace, Step.FIRST)
    text = (lean.feature_repo / "feature_store.yaml").read_text()
    assert str(empty_workspace.feature_repo / "data" / "online.db") in text
    (empty_workspace.feature_repo / "feature_store.yaml").write_text(
        "online_store: {type: redis, path: data/online.db}"
    )
    lean = lean_workspace(empty_workspace, Step.FIRST)
    assert "path: data/online.db" in (lean.feature_repo / "feature_store.yaml").read_text()
    (empty_workspace.feature_repo / "feature_definitions.py").unlink()
    with pytest.raises(TandemError, match="feature_definitions"):
        lean_workspace(empty_workspace, Step.FIRST)

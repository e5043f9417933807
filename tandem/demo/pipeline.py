"""The computation of the demo: three bundles, in one process, each promoted as soon as it is there."""

import importlib
import json
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from contracts.api.progress import State
from contracts.bundle.files import CURRENT
from contracts.bundle.manifest import read_manifest
from contracts.bundle.promotions import current_version, promote
from contracts.errors import BundleRefused, MissingArtifact
from tandem.demo.plan import first_settings, lean_workspace, small_settings
from tandem.demo.record import Record
from tandem.demo.stages import Stages
from tandem.demo.steps import Step
from training.settings import Settings
from training.workspace import Workspace

RAW_FILES: Final = "raw-files"
INGEST: Final = "ingest"
NOT_BETTER: Final = "it loses to a simpler list, so it does not serve"
FULL_STAGES: Final = {
    "features": "computing features",
    "copurchase": "counting what is bought together",
    "materialize": "writing features to the online store",
    "dataset": "joining the training sets",
    "train-towers": "training the towers",
    "train-ranker": "training the ranker",
    "evaluate": "evaluating against simple lists",
    "bundle": "sealing the bundle",
}
"""Stages of dvc.yaml after ingest, in words."""


@dataclass(frozen=True)
class Demo:
    """Settings, folders and records that the steps share."""

    workspace: Workspace
    settings: Settings
    stages: Stages
    record: Record

    @property
    def due(self) -> Path:
        """A file that is there from the ingest of new data until a bundle of it serves."""
        return self.workspace.data / "demo" / "first-is-due"

    @property
    def first_receipt(self) -> Path:
        """Names the first bundle of this data."""
        return Workspace(self.workspace.data / Step.FIRST).bundle_receipt


def build(demo: Demo, until: Step) -> None:
    """Makes the bundles up to a step, as far as they are due. Raises TandemError where a part fails."""
    with demo.record.ticking():
        data = _ingested(demo)
        if data or not _servable(demo.workspace):
            _first(demo)
        if until is not Step.FIRST and _small_is_due(demo):
            _small(demo)
        if until is Step.FULL:
            _full(demo)
    demo.record.end(State.DONE if until is Step.FULL else State.STOPPED)


def _ingested(demo: Demo) -> bool:
    """Whether the data is other than what serves."""
    parts = [INGEST, "features", "online store", "dataset", "bundle", "co-purchases"]
    demo.record.begin(Step.FIRST, parts)
    demo.due.parent.mkdir(parents=True, exist_ok=True)
    if demo.stages.changed(RAW_FILES):  # it notes what raw files there are, and ingest depends on the note
        demo.stages.run(RAW_FILES)
    if not demo.stages.changed(INGEST):
        demo.record.leave_out(INGEST)
        return demo.due.exists()
    was_due, before = demo.due.exists(), _report(demo.workspace)
    demo.due.touch()  # before: an ingest that is broken off half-way leaves neither the old data nor the new
    # What the next parts import takes seconds of one core, and DuckDB works without Python meanwhile.
    ahead = threading.Thread(target=importlib.import_module, args=("training.release.counted",), daemon=True)
    ahead.start()
    with demo.record.part(INGEST, "reading the purchases"):
        demo.stages.run(INGEST)
    ahead.join()
    if not was_due and _report(demo.workspace) == before:  # its code has changed, and the data is what it was
        demo.due.unlink()
        return False
    demo.record.forget()
    return True


def _report(workspace: Workspace) -> str:
    """What the last ingest has counted; empty before the first."""
    return workspace.ingest_report.read_text() if workspace.ingest_report.exists() else ""


def _first(demo: Demo) -> None:
    """A bundle from counts, then what is bought together."""
    from training.dataset.build import build_dataset
    from training.engine import connect_duckdb
    from training.feature_store.store import apply_definitions, materialize_copurchase, materialize_users
    from training.features.build import Extent, build_features
    from training.features.copurchase import build_copurchase
    from training.release.counted import counted_bundle

    record, limits, settings = demo.record, demo.settings.duckdb, first_settings(demo.settings)
    shutil.rmtree(demo.workspace.data / Step.SMALL, ignore_errors=True)  # what was made of other data
    lean, connection = lean_workspace(demo.workspace, Step.FIRST), connect_duckdb(demo.settings.duckdb)
    with record.part("features", "computing the features that serve"):
        build_features(lean, settings.features, connection, _nothing, Extent.SERVING)
    with record.part("online store", "writing features to the online store"):
        apply_definitions(lean)
        apply_definitions(demo.workspace)  # the server reads these
        materialize_users(lean, limits=limits)
    with record.part("dataset", "reading the catalogue"):
        build_dataset(lean, connection, _nothing, limits=limits)
    with record.part("bundle", "counting purchases"):
        sealed = counted_bundle(lean, settings)
        promote(demo.workspace.bundles / sealed.name)
    demo.due.unlink(missing_ok=True)
    record.serves(Step.FIRST, sealed.name)
    with record.part("co-purchases", "counting what is bought together"):
        build_copurchase(lean, connection)
        materialize_copurchase(lean, limits=limits)


def _small_is_due(demo: Demo) -> bool:
    """Whether the first bundle serves and none has been made after it."""
    made = Workspace(demo.workspace.data / Step.SMALL).bundle_receipt.exists()
    return not made and current_version(demo.workspace.bundles) == _sealed(demo.first_receipt)


def _small(demo: Demo) -> None:
    """A bundle of models that have learned from few weeks, where its lists are not worse than those from counts."""
    demo.record.begin(Step.SMALL, ["features", "dataset", "towers", "ranker", "bundle"])
    from training.dataset.build import build_dataset
    from training.engine import connect_duckdb
    from training.feature_store.store import apply_definitions
    from training.features.build import Extent, build_features
    from training.ranking.train import train_ranking
    from training.release.interim import interim_bundle
    from training.retrieval.train import train_towers

    record, limits, settings = demo.record, demo.settings.duckdb, small_settings(demo.settings)
    lean, connection = lean_workspace(demo.workspace, Step.SMALL), connect_duckdb(demo.settings.duckdb)
    with record.part("features", "computing features of the last weeks"):
        build_features(lean, settings.features, connection, _nothing, Extent.RANKING)
    with record.part("dataset", "joining the training sets of the last weeks"):
        apply_definitions(lean)
        build_dataset(lean, connection, _nothing, limits=limits)
    with record.part("towers", "training the towers on the last weeks"):
        train_towers(lean, settings, _no_steps)
    with record.part("ranker", "training the ranker on the last weeks"):
        train_ranking(lean, settings, _no_steps)
    with record.part("bundle", "measuring the small bundle"):
        sealed = interim_bundle(lean, settings, Workspace(demo.workspace.data / Step.FIRST).ranker)
    promote_small(demo, sealed.name, read_manifest(sealed).metrics)


def promote_small(demo: Demo, version: str, metrics: Mapping[str, Any]) -> None:
    """Makes the small bundle serve, unless its lists lose to those from counts or to another simple list."""
    from training.evaluation.gate import losses
    from training.evaluation.measure import COUNTED

    lost = losses(metrics["gate"])
    if not lost:
        promote(demo.workspace.bundles / version)
    demo.record.update(Step.FIRST, ndcg=_ndcg(metrics, COUNTED))
    demo.record.serves(Step.SMALL, version, _ndcg(metrics), note=NOT_BETTER if lost else None)


def _full(demo: Demo) -> None:
    """What dvc.yaml says, stage by stage; the last one promotes its bundle where the gate lets it."""
    record, ran = demo.record, False
    record.begin(Step.FULL, [*FULL_STAGES])
    for name, doing in FULL_STAGES.items():
        if demo.stages.changed(name):
            ran = True
            with record.part(name, doing):
                demo.stages.run(name)
        else:
            record.leave_out(name)
    version = _sealed(demo.workspace.bundle_receipt)
    if version and (ran or current_version(demo.workspace.bundles) == version):
        metrics = json.loads(demo.workspace.metrics.read_text())
        note = None if current_version(demo.workspace.bundles) == version else NOT_BETTER
        if ran:
            record.serves(Step.FULL, version, _ndcg(metrics), note)
        else:
            record.update(Step.FULL, bundle_version=version, ndcg=_ndcg(metrics), note=note)


def _servable(workspace: Workspace) -> bool:
    """Whether there is a bundle that a server of this release can read."""
    try:
        read_manifest(workspace.bundles / CURRENT)
    except (MissingArtifact, BundleRefused):
        return False
    return True


def _sealed(receipt: Path) -> str | None:
    """The version that a receipt names, or None where nothing was sealed."""
    if not receipt.exists():
        return None
    version: str = json.loads(receipt.read_text())["bundle_version"]
    return version


def _ndcg(metrics: Mapping[str, Any], name: str = "final_list") -> float | None:
    value = metrics.get("all_items", {}).get(name, {}).get("ndcg@20")
    return float(value) if value is not None else None


def _nothing(what: str) -> None:
    """The record has the part; what is done within it is not shown."""


def _no_steps(done: int, total: int, what: str) -> None:
    """The same of steps that are counted."""

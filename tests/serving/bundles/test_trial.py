"""A bundle that loops or eats memory ends a process of its own, and never the server or its lock."""

import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import onnxruntime
import pytest
from prometheus_client import CollectorRegistry

from contracts.bundle import files as parts
from contracts.bundle.manifest import write_bundle
from contracts.errors import BundleRefused
from serving.bundles.live_releases import LiveReleases
from serving.bundles.loader import Loader
from serving.bundles.proofs import KEPT, Proofs
from serving.bundles.sealed_files import SealedFiles
from serving.bundles.sources import DirectorySource
from serving.bundles.trial import Trial, TrialLimits
from serving.metrics import Metrics
from tests.support.bundles.broken_models import greedy, looping
from tests.support.bundles.variations import copied, reseal
from training.workspace import Workspace

pytestmark = pytest.mark.tf
PATIENT = TrialLimits(seconds=300)


@pytest.fixture(scope="module")
def source(trained: Workspace) -> Path:
    return (trained.bundles / "current").resolve()


@pytest.fixture(scope="module")
def width(source: Path) -> int:
    """Features that the ranker reads."""
    session = onnxruntime.InferenceSession(source / parts.RANKER)
    return int(session.get_inputs()[0].shape[-1])


def with_file(source: Path, bundles: Path, name: str, content: bytes) -> Path:
    """A sealed bundle with one other file, and without golden requests that would be answered otherwise."""
    with write_bundle(bundles) as folder:
        copied(source, folder, name)
        (folder / name).write_bytes(content)
        (folder / parts.GOLDEN).unlink(missing_ok=True)
        return reseal(folder)


def test_a_bundle_that_answers_is_loaded_and_tried_once_on_this_machine(source: Path, tmp_path: Path) -> None:
    proofs = Proofs(tmp_path)
    loader = Loader(DirectorySource(source), trial=Trial(PATIENT, proofs))
    assert loader.load().manifest.bundle_version == source.name
    assert proofs.has(SealedFiles(source).digest)
    in_vain = Trial(TrialLimits(seconds=0.001), proofs)
    assert Loader(DirectorySource(source), trial=in_vain).load().manifest.bundle_version == source.name
    with pytest.raises(BundleRefused, match=r"within 0\.001 s"):
        Loader(DirectorySource(source), trial=Trial(TrialLimits(seconds=0.001))).load()


def test_what_a_small_loop_gives_is_no_reason_to_refuse(source: Path, width: int, tmp_path: Path) -> None:
    """The looping ranker is a ranker but for its number of rounds: it is refused for these and nothing else."""
    sealed = with_file(source, tmp_path, parts.RANKER, looping(width, times=3))
    assert Loader(DirectorySource(sealed), trial=Trial(PATIENT)).load().manifest.bundle_version == sealed.name


def test_a_loop_without_end_is_refused(source: Path, width: int, tmp_path: Path) -> None:
    sealed = with_file(source, tmp_path, parts.RANKER, looping(width))
    with pytest.raises(BundleRefused, match=f"Bundle {sealed.name} is refused: it did not load and answer within 2 s"):
        Loader(DirectorySource(sealed), trial=Trial(TrialLimits(seconds=2))).load()


def test_a_model_that_asks_for_more_memory_than_it_may_is_refused(source: Path, width: int, tmp_path: Path) -> None:
    sealed = with_file(source, tmp_path, parts.RANKER, greedy(width, gigabytes=7))
    with pytest.raises(BundleRefused, match=f"Bundle {sealed.name} is refused: it needs more than 4,096 MB of memory"):
        Loader(DirectorySource(sealed), trial=Trial(PATIENT)).load()


@pytest.mark.parametrize(
    ("code", "said"), [(-9, "ended with signal 9, as one does that needs more than"), (1, "ended with exit code 1, as")]
)
def test_a_trial_that_ends_without_a_word_is_a_refusal(
    source: Path, monkeypatch: pytest.MonkeyPatch, code: int, said: str
) -> None:
    ended = subprocess.CompletedProcess[bytes]([], code, b"", b"")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: ended)
    with pytest.raises(BundleRefused, match=said):
        Trial(PATIENT).require(SealedFiles(source))


def test_where_no_process_can_be_started_no_bundle_is_loaded(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/absent/python")
    with pytest.raises(BundleRefused, match="no process can be started to try it"):
        Trial(PATIENT).require(SealedFiles(source))


def test_a_candidate_tower_is_tried_that_a_server_would_load_later(source: Path, tmp_path: Path) -> None:
    sealed = with_file(source, tmp_path, parts.CANDIDATE_TOWER, b"no model")
    assert Loader(DirectorySource(sealed)).load().manifest.bundle_version == sealed.name
    with pytest.raises(BundleRefused, match="it cannot be loaded"):
        Loader(DirectorySource(sealed), trial=Trial(PATIENT)).load()


def test_a_manifest_that_is_exchanged_before_the_trial_is_refused(source: Path, tmp_path: Path) -> None:
    sealed = with_file(source, tmp_path, parts.MODEL_CARD, b"other words")
    files = SealedFiles(sealed)
    for name in (parts.GOLDEN, parts.MANIFEST):
        (sealed / name).write_bytes((source / name).read_bytes())
    with pytest.raises(BundleRefused, match="its manifest changed while it was read"):
        Trial(PATIENT).require(files)


class Waiting(Trial):
    """A trial that lasts until the test has seen what it wants to see."""

    def __init__(self) -> None:
        super().__init__(TrialLimits())
        self.begun, self.over = threading.Event(), threading.Event()

    def require(self, files: SealedFiles) -> None:
        self.begun.set()
        assert self.over.wait(60)
        raise BundleRefused(f"Bundle {files.manifest.bundle_version} is refused: it is a test's.")


def test_the_catalogue_goes_on_changing_while_a_bundle_is_tried(source: Path) -> None:
    trial, loader = Waiting(), Loader(DirectorySource(source))
    releases = LiveReleases(loader, Metrics(CollectorRegistry()), "stable")
    with_trial = Loader(DirectorySource(source), trial=trial)
    loader.load = with_trial.load  # type: ignore[method-assign]  # from the second bundle on

    def change() -> None:
        with suppress(BundleRefused):
            releases.change()

    changing = threading.Thread(target=change)
    changing.start()
    assert trial.begun.wait(60)
    releases.replace(lambda bundle: replace(bundle, titles=("changed meanwhile",)))
    assert releases.serving().bundle.titles == ("changed meanwhile",)
    trial.over.set()
    changing.join()
    assert releases.serving().bundle.titles == ("changed meanwhile",)


def test_proofs_are_few_and_hold_for_one_digest(tmp_path: Path) -> None:
    proofs = Proofs(tmp_path / "cache")
    for number in range(KEPT + 5):
        proofs.keep(str(number))
    assert proofs.has(str(KEPT + 4))
    assert not proofs.has("another")
    assert len(list((tmp_path / "cache").iterdir())) == KEPT
    (tmp_path / "file").touch()
    nowhere = Proofs(tmp_path / "file")  # not a folder: the bundle is tried every time
    nowhere.keep("1")
    assert not nowhere.has("1")

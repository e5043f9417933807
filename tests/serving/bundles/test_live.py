"""Changing what serves, in process: every refusal keeps the old bundle, every change is whole, what went is freed."""

import gc
import json
import re
import shutil
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from contracts import OLDEST_CONTRACT
from contracts.bundle import files as parts
from contracts.bundle.files import CURRENT
from contracts.bundle.manifest import write_bundle
from contracts.bundle.promotions import point_current
from contracts.errors import BundleRefused, InvalidInput, MissingArtifact
from serving.bundles.bundle import LoadedBundle
from serving.bundles.experiment import CHALLENGER
from serving.bundles.live_releases import LiveReleases
from serving.bundles.loader import Loader
from serving.bundles.sealed_files import SealedFiles
from serving.bundles.signature import public_keys
from serving.bundles.sources import DirectorySource
from serving.bundles.watcher import Watch
from serving.metrics import Metrics
from tests.support.bundles.sealed import rewrite_manifest
from tests.support.bundles.variations import copied, reseal, variation
from training.release.signing import new_key, signer
from training.workspace import Workspace

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def shop(trained: Workspace, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two bundles that serve."""
    source, bundles = (trained.bundles / CURRENT).resolve(), tmp_path_factory.mktemp("bundles")
    return variation(source, bundles, "A"), variation(source, bundles, "B")


@pytest.fixture
def first(shop: tuple[Path, Path]) -> Path:
    point_current(shop[0])
    return shop[0]


@pytest.fixture
def second(shop: tuple[Path, Path]) -> Path:
    return shop[1]


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


Start = Callable[..., LiveReleases]
Kept = dict[tuple[Path, str], LoadedBundle]


class RememberingLoader(Loader):
    """Parses a bundle that was whole once, and gives each caller a copy of its own of the same arrays.

    Manifests and signatures are checked at every load, and what is refused is not remembered.
    """

    kept: Kept

    def _loaded(self, files: SealedFiles) -> LoadedBundle:
        key = files.folder, files.digest
        if key not in self.kept:
            self.kept[key] = super()._loaded(files)
        return self.kept[key]


@pytest.fixture(scope="module")
def kept() -> Kept:
    return {}


@pytest.fixture
def start(first: Path, registry: CollectorRegistry, kept: Kept) -> Start:
    metrics = Metrics(registry)

    def live(experiment: Path | None = None, keys: str = "") -> LiveReleases:
        loader = RememberingLoader(DirectorySource(first.parent / CURRENT), public_keys(keys))
        loader.kept = kept
        return LiveReleases(loader, metrics, "stable", experiment)

    return live


@pytest.fixture
def broken(first: Path) -> Path:
    """A copy of the first bundle under a name of its own, to be spoilt by a test and removed after it."""
    folder = first.parent / "broken"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(first, folder)
    return folder


def version(releases: LiveReleases) -> str:
    return releases.serving().bundle.manifest.bundle_version


def test_a_moved_link_is_followed_and_an_unmoved_one_costs_nothing(
    start: Start, first: Path, second: Path, registry: CollectorRegistry
) -> None:
    releases = start()
    before = releases.serving().bundle
    releases.refresh()
    assert releases.serving().bundle is before
    point_current(second)
    releases.refresh()
    assert version(releases) == second.name == releases.card().bundle_version
    labels = {"version": second.name, "variant": "stable"}
    assert registry.get_sample_value("tandem_bundle_info", labels) == 1
    assert registry.get_sample_value("tandem_bundle_info", labels | {"version": first.name}) == 0


def test_a_request_keeps_its_bundle_and_the_last_one_frees_it(start: Start, second: Path) -> None:
    releases = start()
    held = releases.assigned("u")
    went = weakref.ref(held.bundle)
    releases.change(second.name)
    assert held.bundle is went()
    assert held.bundle.titles[0].endswith("[A]")
    del held
    gc.collect()
    assert went() is None


def spoil_a_byte(folder: Path) -> None:
    content = bytearray((folder / parts.RANKER).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / parts.RANKER).write_bytes(content)


def mix_parts(folder: Path) -> None:
    shutil.copyfile(folder / parts.QUERY_TOWER, folder / parts.CANDIDATE_TOWER)
    rewrite_manifest(folder, files={name: one.model_dump() for name, one in parts.digests(folder).items()})


def age_the_contract(folder: Path) -> None:
    rewrite_manifest(folder, contract_version=OLDEST_CONTRACT - 1)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_a_byte, r"ranker\.onnx is altered"),
        (mix_parts, "parts of several bundles are mixed"),
        (age_the_contract, f"contract version {OLDEST_CONTRACT - 1}, this server reads {OLDEST_CONTRACT} to"),
    ],
)
def test_altered_mixed_and_older_bundles_are_refused_and_the_old_one_goes_on(
    start: Start,
    broken: Path,
    first: Path,
    registry: CollectorRegistry,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[Path], None],
    said: str,
) -> None:
    spoil(broken)
    releases = start()
    point_current(broken)
    releases.refresh()
    releases.refresh()  # the same refusal is not counted every second
    assert version(releases) == first.name
    assert registry.get_sample_value("tandem_bundle_refusals_total", {"reason": "BundleRefused"}) == 1
    refusal = releases.card().last_refusal
    assert refusal is not None
    assert re.search(said, refusal.reason)
    assert re.search(said, caplog.text)
    with pytest.raises(BundleRefused, match=f"{said}|broken is refused: it holds {first.name}"):
        releases.change("broken")


def test_a_bundle_that_fails_when_it_computes_is_refused(
    start: Start, first: Path, registry: CollectorRegistry
) -> None:
    """All digests are right and the sizes fit, but the ranker is not a model."""
    with write_bundle(first.parent) as folder:
        copied(first, folder, parts.RANKER)
        (folder / parts.RANKER).write_bytes(b"no model")
        sealed = reseal(folder)
    releases = start()
    with pytest.raises(BundleRefused, match=f"{sealed.name} is refused: it cannot be loaded"):
        releases.change(sealed.name)
    assert version(releases) == first.name
    shutil.rmtree(sealed)


def test_a_version_that_is_not_there_is_refused_without_telling_folders(start: Start, first: Path) -> None:
    releases = start()
    with pytest.raises(MissingArtifact, match="There is no bundle gone"):
        releases.change("gone")
    shutil.rmtree(first.parent / "torn", ignore_errors=True)
    (first.parent / "torn").mkdir()
    (first.parent / "torn" / parts.MANIFEST).write_text("{")
    with pytest.raises(BundleRefused, match=str(first.parent)):
        releases.change("torn")
    refusal = releases.card().last_refusal
    assert refusal is not None
    assert str(first.parent) not in refusal.reason
    assert refusal.reason.startswith("manifest.json is not a manifest")
    shutil.rmtree(first.parent / "torn")


def test_a_link_that_is_gone_for_a_moment_changes_nothing(start: Start, first: Path) -> None:
    releases = start()
    (first.parent / CURRENT).unlink()
    releases.refresh()
    assert version(releases) == first.name
    assert releases.card().last_refusal is None


def test_with_a_key_only_signed_bundles_serve(trained: Workspace, first: Path, start: Start, tmp_path: Path) -> None:
    public = new_key(tmp_path / "key.pem")
    with pytest.raises(BundleRefused, match="not signed"):
        start(keys=public)
    signed = variation(trained.bundles / CURRENT, first.parent, "S", signer(tmp_path / "key.pem"))
    point_current(signed)
    releases = start(keys=public)
    with pytest.raises(BundleRefused, match="not signed"):
        releases.change(first.name)
    assert version(releases) == signed.name
    shutil.rmtree(signed)


def test_changes_of_the_catalogue_apply_to_whatever_serves_by_then(start: Start, second: Path, kept: Kept) -> None:
    """A bundle change and many small ones at once: none is lost and none brings the old bundle back."""
    releases = start()
    kept.clear()  # so that the change lasts

    def without_titles(bundle: LoadedBundle) -> LoadedBundle:
        return replace(bundle, departments=tuple("x" for _ in bundle.departments))

    swap = threading.Thread(target=releases.change, args=(second.name,))
    swap.start()
    for _ in range(20):
        releases.replace(without_titles)
    swap.join()
    releases.replace(without_titles)
    assert version(releases) == second.name
    assert set(releases.serving().bundle.departments) == {"x"}


def test_what_is_newer_than_a_bundle_is_laid_over_each_one_that_is_loaded(
    start: Start, experiment: Path, second: Path
) -> None:
    releases = start(experiment)
    releases.lay_over(lambda bundle: replace(bundle, titles=("new",)))
    releases.replace(lambda bundle: replace(bundle, titles=("of now",)))
    releases.change(second.name)
    assert releases.serving().bundle.titles == ("new",)
    assert releases.assigned("u1", CHALLENGER).bundle.titles == ("of now",)


@pytest.fixture
def experiment(tmp_path: Path, second: Path) -> Path:
    path = tmp_path / "experiment.yaml"
    path.write_text(f"{{name: towers, challenger: {second.name}, share: 0.25}}")
    return path


def share_of(releases: LiveReleases, users: int = 2000) -> float:
    return float(np.mean([releases.assigned(f"u{user}").variant == CHALLENGER for user in range(users)]))


def test_an_experiment_serves_two_bundles_side_by_side_and_says_how_likely_each_was(
    start: Start, experiment: Path, first: Path, second: Path
) -> None:
    releases = start(experiment)
    assigned = [releases.assigned(f"u{user}") for user in range(2000)]
    assert {(one.variant, one.bundle.manifest.bundle_version, one.propensity) for one in assigned} == {
        ("stable", first.name, 0.75),
        (CHALLENGER, second.name, 0.25),
    }
    assert abs(share_of(releases) - 0.25) < 0.04
    card = releases.card()
    assert card.bundle_version == first.name
    assert card.experiment is not None
    assert (card.experiment.challenger, card.experiment.share) == (second.name, 0.25)


def test_a_variant_can_be_forced_and_is_marked_so(start: Start, experiment: Path, second: Path) -> None:
    releases = start(experiment)
    forced = releases.assigned("u1", CHALLENGER)
    assert (forced.bundle.manifest.bundle_version, forced.forced, forced.propensity) == (second.name, True, 1.0)
    assert releases.assigned("u1", "stable").forced
    assert not releases.assigned("u1").forced
    with pytest.raises(InvalidInput, match="Variant 'canary' does not serve here; there is stable and challenger"):
        releases.assigned("u1", "canary")
    with pytest.raises(InvalidInput, match="there is stable"):
        start().assigned("u1", CHALLENGER)


def test_another_share_is_taken_over_without_loading_and_a_faulty_file_is_refused(
    start: Start, experiment: Path, second: Path
) -> None:
    releases = start(experiment)
    challenger = releases.assigned("u1", CHALLENGER).bundle
    experiment.write_text(f"{{name: towers, challenger: {second.name}, share: 0.5}}")
    releases.refresh()
    assert abs(share_of(releases) - 0.5) < 0.05
    assert releases.assigned("u1", CHALLENGER).bundle is challenger
    for faulty, said in (("{name: towers, share: 3}", "share"), ("{name: t, challenger: gone, share: 1}", "gone")):
        experiment.write_text(faulty)
        releases.refresh()
        refusal = releases.card().last_refusal
        assert refusal is not None
        assert (refusal.asked, said in refusal.reason) == ("experiment.yaml", True)
        assert abs(share_of(releases) - 0.5) < 0.05


def test_a_server_does_not_start_with_a_file_that_is_no_experiment(start: Start, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        start(tmp_path / "gone.yaml")
    (tmp_path / "e.yaml").write_text(json.dumps({"name": "e", "share": 0.5}))
    with pytest.raises(InvalidInput, match="challenger"):
        start(tmp_path / "e.yaml")


def test_a_server_starts_without_a_challenger_that_cannot_serve_and_takes_it_once_it_can(
    start: Start, second: Path, tmp_path: Path
) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(json.dumps({"name": "e", "challenger": "gone", "share": 0.5}))
    releases = start(path)
    card = releases.card()
    assert (releases.variants(), card.experiment) == (("stable",), None)
    assert card.last_refusal is not None
    assert "There is no bundle gone" in card.last_refusal.reason
    path.write_text(json.dumps({"name": "e", "challenger": second.name, "share": 0.25}))
    releases.refresh()
    assert abs(share_of(releases) - 0.25) < 0.05


def test_the_watch_follows_by_itself_and_survives_what_one_look_meets(
    start: Start, second: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases, engagements = start(), 0
    refresh = releases.refresh

    def failing_once() -> None:
        nonlocal engagements
        engagements += 1
        if engagements == 1:
            raise RuntimeError("a disk that went away")
        refresh()

    monkeypatch.setattr(releases, "refresh", failing_once)
    watch = Watch(releases, interval_seconds=0.01)
    watch.start()
    point_current(second)
    changed = threading.Event()
    for _ in range(500):
        if version(releases) == second.name:
            changed.set()
            break
        changed.wait(0.02)
    watch.stop()
    assert changed.is_set()
    assert not watch.is_alive()

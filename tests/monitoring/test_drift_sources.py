"""Where a drift run on a cluster reads from: the logs of several pods, and a published bundle."""

from pathlib import Path

import pytest

from contracts.bundle.files import MANIFEST, REFERENCE
from contracts.bundle.manifest import read_manifest
from contracts.errors import MissingArtifact
from monitoring.impressions import read_impressions
from monitoring.published import fetch_reference
from monitoring.reference import read_reference
from training.workspace import Workspace


def test_a_folder_is_read_as_the_logs_of_all_pods(tmp_path: Path) -> None:
    (tmp_path / "blue-1.jsonl").write_text("no record\n")
    (tmp_path / "green-1.jsonl").write_text("no record\nnor this\n")
    (tmp_path / "drift.json").write_text("not a log\n")
    assert read_impressions(tmp_path).malformed == 3


def test_a_folder_without_logs_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(MissingArtifact, match="No impression log"):
        read_impressions(tmp_path)


def test_the_reference_of_a_published_bundle_is_the_one_that_was_sealed(trained: Workspace, tmp_path: Path) -> None:
    sealed = (trained.bundles / "current").resolve()
    folder = fetch_reference(sealed.as_uri(), tmp_path)
    assert {path.name for path in folder.iterdir()} == {MANIFEST, REFERENCE}
    assert len(read_reference(folder, read_manifest(folder))) == len(read_reference(sealed, read_manifest(sealed)))


def test_a_bundle_that_was_not_published_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingArtifact, match="nowhere/manifest"):
        fetch_reference((tmp_path / "nowhere").as_uri(), tmp_path)

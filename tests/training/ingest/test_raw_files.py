"""The note of the raw files changes exactly where a raw file or the mapping has, wherever they lie."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.shops.shop_files import INTERACTIONS, PRODUCTS, shop
from training.ingest.raw_files import note_raw_files
from training.settings import IngestSettings
from training.workspace import Workspace


def note(root: Path, **settings: str) -> str:
    note_raw_files(Workspace(root), IngestSettings(**settings))  # type: ignore[arg-type]
    return Workspace(root).raw_files.read_text()


def test_it_changes_with_a_file_and_with_the_mapping_alone(tmp_path: Path) -> None:
    folder, mapping = shop(tmp_path), tmp_path / "shop.yaml"
    mapping.write_text("time_zone: Europe/Paris")
    given = {"adapter": "ecommerce", "path": str(folder), "mapping": str(mapping)}
    first = note(tmp_path, **given)
    assert note_raw_files(Workspace(tmp_path), IngestSettings(adapter="ecommerce", path=str(folder))) == 2
    assert note(tmp_path, **given) == first
    (folder / "interactions.csv").write_text(INTERACTIONS.replace("9.5", "8.5"))  # of the same size
    second = note(tmp_path, **given)
    mapping.write_text("time_zone: Europe/Rome")
    third = note(tmp_path, **given)
    (folder / "users.csv").write_text("user_id\nu1\n")
    fourth = note(tmp_path, **given)
    assert len({first, second, third, fourth}) == 4


def test_files_in_parts_are_seen(tmp_path: Path) -> None:
    parts = tmp_path / "raw" / "interactions"
    parts.mkdir(parents=True)
    (parts / "a.csv").write_text(INTERACTIONS)
    first = note(tmp_path, adapter="ecommerce", path=str(tmp_path / "raw"))
    (parts / "b.csv").write_text(INTERACTIONS)
    assert note(tmp_path, adapter="ecommerce", path=str(tmp_path / "raw")) != first


def test_files_in_a_bucket_are_seen(tmp_path: Path, bucket: Any) -> None:
    bucket.pipe({"shop/raw/interactions.csv": INTERACTIONS.encode(), "shop/raw/products.csv": PRODUCTS.encode()})
    first = note(tmp_path, adapter="ecommerce", path="s3://shop/raw")
    assert "/interactions.csv" in first and note(tmp_path, adapter="ecommerce", path="s3://shop/raw") == first
    bucket.pipe("shop/raw/interactions.csv", INTERACTIONS.replace("9.5", "8.5").encode())
    bucket.invalidate_cache()  # the next run is another process
    assert note(tmp_path, adapter="ecommerce", path="s3://shop/raw") != first


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"adapter": "ecommerce", "path": "nowhere"},
        {"adapter": "ecommerce", "path": "nosuch://x", "mapping": "none"},
    ],
)
def test_what_is_not_there_is_left_for_ingest_to_name(tmp_path: Path, given: dict[str, str]) -> None:
    assert note_raw_files(Workspace(tmp_path), IngestSettings(**given)) == 0  # type: ignore[arg-type]


def test_what_an_adapter_leaves_in_its_path_is_not_its_input(tmp_path: Path) -> None:
    first = note(tmp_path, adapter="synthetic", path=str(tmp_path / "made"))
    shop(tmp_path).rename(tmp_path / "made")
    assert note(tmp_path, adapter="synthetic", path=str(tmp_path / "made")) == first


def test_a_log_may_have_grown_so_it_is_read_anew_each_time(tmp_path: Path) -> None:
    given = {"adapter": "event-log", "path": str(shop(tmp_path))}
    assert note(tmp_path, **given) != note(tmp_path, **given)

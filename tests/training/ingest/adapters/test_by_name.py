"""Every adapter by its name: which there are, and what each says where its files are missing."""

from pathlib import Path

import pytest

from contracts.errors import InvalidInput, MissingArtifact
from tests.support.shops.shop_files import run, write
from training.ingest.adapters.by_name import adapter_named

ADAPTERS = ("clickstream", "complete-journey", "ecommerce", "event-log", "instacart", "retail-baskets", "synthetic")


@pytest.mark.parametrize("adapter", [name for name in ADAPTERS if name not in ("complete-journey", "synthetic")])
def test_missing_files_are_named_with_those_found(tmp_path: Path, adapter: str) -> None:
    folder = write(tmp_path / "raw", notes_txt="x")
    with pytest.raises(MissingArtifact, match=r"raw has no file .*It holds: notes\.txt"):
        run(tmp_path, adapter, folder)
    with pytest.raises(MissingArtifact, match="nowhere is not a folder"):
        run(tmp_path, adapter, tmp_path / "nowhere")
    with pytest.raises(InvalidInput, match="nosuch://x cannot be opened"):
        run(tmp_path, adapter, "nosuch://x")


def test_adapters_that_read_files_ask_for_a_path(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"The adapter clickstream reads files: say where they lie with --path"):
        run(tmp_path, "clickstream", "")


def test_an_unknown_adapter_is_refused_listing_all() -> None:
    with pytest.raises(InvalidInput, match=f"Available: {', '.join(ADAPTERS)}\\."):
        adapter_named("made-up")


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_unknown_mapping_keys_are_refused_listing_those_there_are(tmp_path: Path, adapter: str) -> None:
    with pytest.raises(InvalidInput, match=f"The adapter {adapter} does not know the mapping key colour"):
        run(tmp_path, adapter, tmp_path, {"colour": "red"})


def test_a_slip_in_a_mapping_key_is_answered_with_the_key_that_was_meant(tmp_path: Path) -> None:
    known = r"products\.titel \(did you mean 'products\.title'\?\)\. It knows: products\.available_from, "
    with pytest.raises(InvalidInput, match=known) as refused:
        run(tmp_path, "ecommerce", tmp_path, {"products.titel": "name"})
    assert "users." not in str(refused.value)


def test_a_constant_that_is_no_event_type_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "raw", interactions_csv="user_id,item_id,event_timestamp\nu,i,2024-01-02T10:00:00Z\n",
                   products_csv="item_id\ni\n")  # fmt: skip
    with pytest.raises(InvalidInput, match="Every row is said to be a 'purchse', which is not an event type"):
        run(tmp_path, "ecommerce", folder, {"interactions.event_type.value": "purchse"})

"""Every adapter by its name: which there are, and what each says where its files are missing."""

from pathlib import Path

import pytest

from contracts.errors import InvalidInput, MissingArtifact
from tests.support.shop_files import run, write
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

"""Text in other encodings than UTF-8."""

import gzip
from pathlib import Path

import pytest

from contracts.errors import DataRejected, InvalidInput
from tests.support.shops.shop_files import (
    EVENT,
    INTERACTIONS,
    SHOP_EVENTS,
    parquet_shop,
    read_rows,
    run,
    shop,
    source_of,
    write,
)
from training.ingest.files import encodings

GOODS = "item_id,title\ntea,Süßer Tee …\ncup,Käse € 5\n"
TITLES = [("cup", "Käse € 5"), ("tea", "Süßer Tee …")]


@pytest.mark.parametrize("encoding", ["WINDOWS-1252", "UTF-16", "utf-16-be", "cp1250", "utf-8-sig"])
@pytest.mark.parametrize("chunk", [1, 3, 1 << 16])
def test_a_file_is_read_in_the_encoding_that_the_mapping_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, chunk: int
) -> None:
    monkeypatch.setattr(encodings, "CHUNK_BYTES", chunk)
    folder = shop(tmp_path, products=GOODS.encode(encoding))
    source = source_of(tmp_path, "ecommerce", folder, {"products": {"encoding": encoding}})
    assert read_rows(source.items, "item_id", "title") == TITLES


def test_of_all_tables_it_is_said_once_and_parquet_has_its_own(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "shop", products_json='[{"item_id": "tea", "title": "Ä\x85Ö"}, {"item_id": "cup"}]'.encode("latin-1")
    )
    (folder / "interactions.csv.gz").write_bytes(gzip.compress(INTERACTIONS.encode("latin-1")))
    source = source_of(tmp_path, "ecommerce", folder, {"encoding": "latin-1"})
    assert read_rows(source.events, *EVENT) == SHOP_EVENTS
    assert read_rows(source.items, "title") == [("Ä\x85Ö",), (None,)]
    parts = source_of(tmp_path, "ecommerce", parquet_shop(tmp_path / "parts"), {"encoding": "latin-1"})
    assert read_rows(parts.events, "user_id", "item_id") == [("1", "7"), ("1", "7")]


def test_what_is_not_in_the_encoding_is_refused(tmp_path: Path) -> None:
    folder = shop(tmp_path, products=GOODS.encode() + b"\x81\n")
    with pytest.raises(DataRejected, match=r"products\.csv cannot be read as cp1252|charmap"):
        run(tmp_path, "ecommerce", folder, {"encoding": "cp1252"})
    for name in ("latin-99", "base64", "rot13", "a\0b"):
        with pytest.raises(InvalidInput, match="expected a name like WINDOWS-1252"):
            run(tmp_path, "ecommerce", folder, {"encoding": name})


def test_rows_that_are_not_utf8_are_refused_with_the_key_that_says_so(tmp_path: Path) -> None:
    lines = "".join(f"purchase,u,{name},2024-01-05T10:00:00Z\n" for name in ("Käse", "Süßes"))
    folder = shop(tmp_path, ("event_type,user_id,item_id,event_timestamp\n" + lines).encode("latin-1"))
    with pytest.raises(DataRejected, match=r"'not_utf8': 2.*`encoding: WINDOWS-1252`"):
        run(tmp_path, "ecommerce", folder)

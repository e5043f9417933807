"""Files in an S3 bucket are read as files on disk are: the same rows, the same bad lines."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from contracts.errors import DataRejected, MissingArtifact
from tests.support.shops.shop_files import EVENT, INTERACTIONS, PRODUCTS, SHOP_EVENTS, parquet, rows_of, run, shop


def test_files_are_read_from_s3(tmp_path: Path, bucket: Any) -> None:
    folder = shop(tmp_path)
    bucket.put(str(folder / "interactions.csv"), "shop/raw/interactions.csv")
    parquet(tmp_path / "p.parquet", [{"item_id": "tea"}, {"item_id": "cup"}], item_id=pa.string())
    bucket.put(str(tmp_path / "p.parquet"), "shop/raw/products.parquet")
    run(tmp_path, "ecommerce", "s3://shop/raw")
    assert rows_of(tmp_path, "events", *EVENT) == SHOP_EVENTS
    with pytest.raises(
        MissingArtifact, match=r"s3://shop/raw has no file catalog .*interactions\.csv, products\.parquet"
    ):
        run(tmp_path, "clickstream", "s3://shop/raw")


def as_tsv(text: str) -> bytes:
    return text.replace(",", "\t").encode()


def as_json_lines(text: str) -> bytes:
    """Of a table without quotes; an empty cell is left out."""
    header, *lines = (line.split(",") for line in text.splitlines())
    objects = ({name: cell for name, cell in zip(header, line, strict=True) if cell} for line in lines)
    return "".join(json.dumps(one) + "\n" for one in objects).encode()


@pytest.mark.parametrize(
    ("file", "content", "broken", "said"),
    [
        ("interactions.tsv", as_tsv(INTERACTIONS), b"e4\tu1\n", "malformed_row"),
        ("interactions.tsv.gz", gzip.compress(as_tsv(INTERACTIONS)), gzip.compress(b"e4\tu1\n"), "malformed_row"),
        ("interactions.jsonl", as_json_lines(INTERACTIONS), b'{"event_id": "e4"\n', "malformed_row"),
        ("interactions.jsonl", as_json_lines(INTERACTIONS), b"\xff\n", "not_utf8"),
    ],
    ids=["tsv", "tsv.gz", "json lines", "json lines that are not UTF-8"],  # compressed bytes hold the time of day
)
def test_other_kinds_of_text_are_read_from_s3(
    tmp_path: Path, bucket: Any, file: str, content: bytes, broken: bytes, said: str
) -> None:
    """As from disk, each bad line in the quarantine."""
    bucket.pipe({f"shop/raw/{file}": content + broken, "shop/raw/products.jsonl": as_json_lines("item_id\ntea\ncup\n")})
    report = run(tmp_path, "ecommerce", "s3://shop/raw")
    assert rows_of(tmp_path, "events", *EVENT) == SHOP_EVENTS
    assert (report.events_in, report.events_kept, report.events_dropped) == (4, 3, {said: 1})


def test_parts_in_a_folder_of_s3_are_one_table(tmp_path: Path, bucket: Any) -> None:
    header, *lines = INTERACTIONS.splitlines()
    parts = {f"shop/raw/interactions/{at}.tsv": as_tsv(f"{header}\n{line}\n") for at, line in enumerate(lines)}
    bucket.pipe({**parts, "shop/raw/products.csv": PRODUCTS.encode()})
    run(tmp_path, "ecommerce", "s3://shop/raw")
    assert rows_of(tmp_path, "events", *EVENT) == SHOP_EVENTS


def test_an_empty_file_in_s3_is_refused_by_name(tmp_path: Path, bucket: Any) -> None:
    bucket.pipe({"shop/raw/interactions.jsonl": b"\n", "shop/raw/products.csv": PRODUCTS.encode()})
    with pytest.raises(DataRejected, match=r"interactions\.jsonl is empty"):
        run(tmp_path, "ecommerce", "s3://shop/raw")

"""Files that are packed, and files that cannot be had: what is wrong is said in words."""

import bz2
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import DataRejected, InvalidInput
from tests.support.shops.shop_files import (
    EVENT,
    INTERACTIONS,
    PRODUCTS,
    SHOP_EVENTS,
    parquet_shop,
    read_rows,
    source_of,
    write,
)
from training.ingest.guess.sample import sample

HEADER, *LINES = INTERACTIONS.splitlines()
AS_JSON = "\n".join(json.dumps(dict(zip(HEADER.split(","), line.split(","), strict=True))) for line in LINES).encode()
AS_CSV = INTERACTIONS.encode()
PACKED = gzip.compress(AS_CSV, mtime=0)
LONG = gzip.compress(AS_CSV + b"".join(b"e%d,u,tea,view,2024-01-02T12:00:00Z,s,,\n" % n for n in range(9999)), mtime=0)


def zipped(**files: bytes) -> bytes:
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__of__", "/"), content)
    return found.getvalue()


def events(root: Path, name: str, content: bytes, **mapping: str) -> Any:
    folder = write(root / "shop", products_csv=PRODUCTS)
    (folder / name).write_bytes(content)
    return source_of(root, "ecommerce", folder, {"interactions": {"file": name} | mapping}).events


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("c.csv.bz2", bz2.compress(AS_CSV)),
        ("c.csv.xz", lzma.compress(AS_CSV)),
        ("c.jsonl.bz2", bz2.compress(AS_JSON)),
        ("c.json.zip", zipped(anything=AS_JSON)),
        ("c.csv.zip", zipped(__MACOSX__of___c=b"\0\5\x16\7", day__of__=b"", day__of__c=AS_CSV)),
        ("c.csv.gz", PACKED + b"\0" * 100),
    ],
)
def test_a_file_is_unpacked_as_its_name_says(tmp_path: Path, name: str, content: bytes) -> None:
    assert read_rows(events(tmp_path, name, content), *EVENT) == SHOP_EVENTS


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("c.csv.zip", zipped(a=AS_CSV, b=AS_CSV), r"a zip of 2 files \(a, b\), and only one of one .*Unpack it"),
        ("c.zip", zipped(), "a zip of 0 files, and only one of one file can be read"),
        ("c.csv.zip", AS_CSV, "unpacked as zip .*or is not what its name says: .*or call it what it is"),
        ("c.csv.zip", zipped(a=AS_CSV * 99)[:60], "unpacked as zip .*cut short"),
        ("c.csv.gz", LONG[:-20], "unpacked as gzip .*cut short"),
        ("c.csv.gz", LONG[:300], "unpacked as gzip .*cut short"),
        ("c.jsonl.gz", gzip.compress(AS_JSON)[:-10], "unpacked as gzip .*cut short"),
        ("c.json.gz", gzip.compress(b"[1, 2, 3]")[:-10], "unpacked as gzip .*cut short"),
        ("c.csv.gz", PACKED[:-8] + bytes(8), "unpacked as gzip .*damaged"),
        ("c.csv.gz", LONG[:200] + b"\xff" * 40 + LONG[240:], "unpacked as gzip .*damaged"),
        ("c.csv.gz", AS_CSV, "unpacked as gzip .*call it what it is"),
        ("c.csv.bz2", AS_CSV, "unpacked as bz2 .*call it what it is"),
        ("c.csv.xz", AS_CSV, "unpacked as xz .*call it what it is"),
        ("c.csv.xz", lzma.compress(AS_CSV)[:-30], "unpacked as xz .*cut short"),
    ],
)  # fmt: skip
def test_what_cannot_be_unpacked_is_refused_by_name(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    with pytest.raises(DataRejected, match=f"^{name} (is|cannot be) {said}"):
        events(tmp_path, name, content)


def test_init_refuses_it_too(tmp_path: Path) -> None:
    (tmp_path / "c.csv.gz").write_bytes(PACKED[:-20])
    with pytest.raises(DataRejected, match=r"^c\.csv\.gz cannot be unpacked as gzip"):
        sample(tmp_path / "c.csv.gz")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("c.csv", bz2.compress(AS_CSV), "compressed by bzip2: unpack it, or compress it by gzip"),
        ("c.csv", lzma.compress(AS_CSV), "compressed by xz: unpack it"),
        ("c.csv.zst", b"\x28\xb5\x2f\xfd" + bytes(range(99)), "compressed by zstd: unpack it"),
        ("c.csv", INTERACTIONS.encode("utf-32"), "UTF-32. Save .* `encoding: UTF-32`"),
        ("c.csv.gz", gzip.compress(PACKED), "compressed by gzip: .*or unpack it"),
        ("c.csv.bz2", bz2.compress(AS_JSON), r"JSON: end its name in \.jsonl\.bz2\."),
    ],
)
def test_what_a_file_is_and_what_would_work_is_true(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    with pytest.raises(DataRejected, match=f"^{name} is {said}"):
        events(tmp_path, name, content)


def test_what_is_said_of_an_encoding_works(tmp_path: Path) -> None:
    found = events(tmp_path, "c.csv", INTERACTIONS.encode("utf-32"), encoding="UTF-32")
    assert read_rows(found, *EVENT) == SHOP_EVENTS


def parts(root: Path, make: Callable[[Path], object]) -> Path:
    folder = write(root / "shop", products_csv=PRODUCTS)
    write(folder / "interactions", a_csv=INTERACTIONS)
    make(folder / "interactions")
    return folder


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl.gz"])
def test_a_link_to_nothing_is_refused_by_name(tmp_path: Path, suffix: str) -> None:
    folder = parts(tmp_path, lambda inside: (inside / f"l.{suffix}").symlink_to("nowhere"))
    with pytest.raises(DataRejected, match=rf"^interactions/l\.{suffix} cannot be opened: No such file or directory"):
        source_of(tmp_path, "ecommerce", folder)


def test_the_part_that_is_not_in_the_encoding_is_named(tmp_path: Path) -> None:
    folder = parts(tmp_path, lambda inside: (inside / "b.csv").write_bytes(AS_CSV + b"\x81\n"))
    with pytest.raises(DataRejected, match=r"^interactions/b\.csv cannot be read as cp1252: "):
        source_of(tmp_path, "ecommerce", folder, {"encoding": "cp1252"})


def test_an_encoding_that_reads_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="encoding is 'undefined', expected a name like"):
        events(tmp_path, "c.csv", AS_CSV, encoding="undefined")
    with pytest.raises(DataRejected, match=r"^c\.csv cannot be read as idna: "):
        events(tmp_path, "c.csv", b"a\xff" * 99, encoding="idna")


def test_names_that_are_not_utf8_are_read_or_refused_in_words(tmp_path: Path) -> None:
    folder = parquet_shop(tmp_path / "a")
    right = read_rows(source_of(tmp_path, "ecommerce", folder).events, "user_id")
    part = folder / "interactions" / "part-a.parquet"
    part.rename(part.with_name("caf\udce9.parquet"))
    folder = folder.rename(tmp_path / "th\udce9")
    assert read_rows(source_of(tmp_path, "ecommerce", folder).events, "user_id") == right
    for one in (folder / "interactions").iterdir():
        one.unlink()
    (folder / "interactions" / "u=caf\udce9").mkdir()
    write(folder / "interactions" / "u=caf\udce9", a_csv=INTERACTIONS)
    with pytest.raises(DataRejected, match=r"The name of interactions/u=caf\\udce9/a\.csv is not UTF-8"):
        source_of(tmp_path, "ecommerce", folder, {"interactions": {"user_id": {"path": "u=*"}}})

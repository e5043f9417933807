"""Delimited text: quotes, newlines and stray quotes, wherever the chunk ends."""

from pathlib import Path

import pytest

from tests.support.shops.shop_files import write
from training.ingest.files import delimited


def read(root: Path, content: bytes, monkeypatch: pytest.MonkeyPatch, chunk: int = 16 << 20) -> list[list[str | None]]:
    from training.ingest.files.location import locate

    write(root / "csv", table_csv=content)
    monkeypatch.setattr(delimited, "CHUNK_BYTES", chunk)
    (file,) = locate(str(root / "csv"), "test").required("table")
    return [list(row.values()) for row in delimited.read_delimited(file).to_pylist()]


@pytest.mark.parametrize("chunk", [1, 7, 50, 1 << 20])
def test_quotes_newlines_and_stray_quotes_whatever_the_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    content = b'\xef\xbb\xbfa,b\r\n1,"x,y"\r\n\r\n2,"say ""hi"" x"\r\n3,\r\n4,"stray\r\n' + b"5,z\r\n" * 100 + b"6,end"
    rows = read(tmp_path, content, monkeypatch, chunk)
    good = [["1", "x,y"], ["2", 'say "hi" x'], ["3", None], *[["5", "z"]] * 100, ["6", "end"]]
    assert [row[:2] for row in rows if row[2] is None] == good
    assert [row[2:] for row in rows if row[2]] == [["malformed_row", '4,"stray']]


def test_a_quoted_field_may_hold_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(tmp_path, b'a,b\n1,"x\ny"\n2,z\n', monkeypatch) == [["1", "x\ny", None, None], ["2", "z", None, None]]


@pytest.mark.parametrize("chunk", [1, 2, 1 << 20])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"\n\r\n", b"\xef\xbb\xbf\r\n"])
def test_the_header_is_the_first_line_that_is_not_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, start: bytes
) -> None:
    from training.ingest.files.location import locate

    write(tmp_path / "csv", table_csv=start + b"a,b\n1,x\n")
    monkeypatch.setattr(delimited, "CHUNK_BYTES", chunk)
    (file,) = locate(str(tmp_path / "csv"), "test").required("table")
    assert delimited.read_delimited(file).to_pylist() == [{"a": "1", "b": "x", "__fault": None, "__raw": None}]

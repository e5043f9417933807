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


@pytest.mark.parametrize("chunk", [1, 2, 3, 1 << 20])
@pytest.mark.parametrize("end", [b"\r\n", b"\r\r\n", b"\r\r\r\n"])
def test_lines_that_windows_ended_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, end: bytes
) -> None:
    content = b'a,b\n1,x\n2,"y"\n3,"two\nlines"\n4,'.replace(b"\n", end)
    right: list[list[str | None]] = [["1", "x"], ["2", "y"], ["3", "two\r\nlines"], ["4", None]]
    assert read(tmp_path, content, monkeypatch, chunk) == [[*row, None, None] for row in right]
    assert read(tmp_path, content + end, monkeypatch, chunk) == [[*row, None, None] for row in right]


@pytest.mark.parametrize("chunk", [1, 2, 3, 1 << 20])
def test_lines_of_old_macs_stay_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    rows = read(tmp_path, b"a,b\r\r1,x\r2,y\r", monkeypatch, chunk)
    assert rows == [["1", "x", None, None], ["2", "y", None, None]]


@pytest.mark.parametrize(
    ("header", "row", "names"),
    [
        ("a\tprice, EUR", "1\t2", ["a", "price, EUR"]),
        ("a|b|price, EUR", "1|2|3,5", ["a", "b", "price, EUR"]),
        ("a;price, EUR", "1;2,5", ["a", "price, EUR"]),
        ("a;b, c, d, e", "1;2", ["a", "b, c, d, e"]),
        ('a;b;"c,d,e,f,g"', "1;2;3", ["a", "b", "c,d,e,f,g"]),
        ('"a","b;c;d;e"', "1,2", ["a", "b;c;d;e"]),
        ("a,colour|size", "1,red", ["a", "colour|size"]),
        ("a,b;c", "1,2", ["a", "b;c"]),
        ("a::b, c", "1::2", ["a", "b, c"]),
        ("a, b", "1, 2", ["a", " b"]),
        ("a,b,c;d", '"1,5","2;3","x"', ["a", "b", "c;d"]),
        ("a", "1,2;3", ["a"]),
    ],
)
def test_a_name_may_hold_what_separates_other_files(tmp_path: Path, header: str, row: str, names: list[str]) -> None:
    from training.ingest.files.location import locate

    write(tmp_path / "csv", table_csv=f"{header}\n{row}\n")
    (file,) = locate(str(tmp_path / "csv"), "test").required("table")
    assert delimited.read_delimited(file).column_names[:-2] == names


@pytest.mark.parametrize("chunk", [1, 1 << 20])
@pytest.mark.parametrize("again", ["a,b\n", '"a","b"\n', "\ufeffa,b\n", '\ufeff"a",b\n'])
def test_a_header_that_is_there_again_is_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, again: str
) -> None:
    content = f"a,b\n1,x\n{again}a,x\n2,\n{again}".encode()
    good, repeated = ([["1", "x"], ["a", "x"], ["2", None]], ["repeated_header", "a,b"])
    rows = read(tmp_path, content, monkeypatch, chunk)
    assert [row[:2] for row in rows if row[2] is None] == good
    assert [row for row in rows if row[2]] == [[None, None, *repeated]] * 2


def test_an_index_without_a_name_is_repeated_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = read(tmp_path, b",a\n0,x\n,a\n1,y\n", monkeypatch)
    assert [row[2] for row in rows] == [None, None, None]
    assert [row[2] for row in read(tmp_path, b"a,\nx,0\na,\ny,1\n", monkeypatch)] == [None, "repeated_header", None]

"""A value is text wherever it is written."""

import csv
import io

import pytest

from contracts.outside_text import from_sheet, in_markdown, in_page, in_sheet

ODD = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "'=1", "''", "'", "plain", "", "a=b", '=HYPERLINK("x")', "ü,;\n"]


@pytest.mark.parametrize("text", ODD)
def test_a_cell_is_no_formula_and_comes_back(text: str) -> None:
    into = io.StringIO()
    csv.writer(into).writerow([in_sheet(text)])
    (cell,) = next(csv.reader(io.StringIO(into.getvalue(), newline="")))
    assert not cell.startswith(("=", "+", "-", "@", "\t"))
    assert from_sheet(cell) == text


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "</script><img src=x onerror=alert(1)>", '" onload="x'])
def test_a_value_is_no_tag(text: str) -> None:
    assert not set('<>"') & set(in_page(text))
    assert not set("<>") & set(in_markdown(text))


def test_a_cell_of_a_table_stays_one() -> None:
    assert in_markdown("a|b\nc & d") == "a\\|b c &amp; d"

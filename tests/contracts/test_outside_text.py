"""A value is text wherever it is written."""

import csv
import io
from collections.abc import Callable
from html.parser import HTMLParser

import markdown  # type: ignore[import-untyped,unused-ignore]  # ships no types
import pytest
from markdown_it import MarkdownIt

from contracts.outside_text import from_sheet, in_code, in_markdown, in_page, in_sheet

LATER = ["a;=1+1", "a;;-1", "a,@b", "a\t=1", "a; =1", "a;\t+1", "x\n=1", "x\r\n-1", "a;'b", "a;'=1", ";", "a;b, c; d"]
WIDE = ["\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20x", " =1", "\u00a0=1"]
FIRST = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "'=1", "''", "'", '=HYPERLINK("x")']
ODD = [*FIRST, *LATER, *WIDE, "plain", "", "a=b", "ü,;\n"]


@pytest.mark.parametrize("text", ODD)
def test_a_cell_is_no_formula_and_comes_back(text: str) -> None:
    into = io.StringIO()
    csv.writer(into).writerow([in_sheet(text)])
    (cell,) = next(csv.reader(io.StringIO(into.getvalue(), newline="")))
    assert not cell.startswith(("=", "+", "-", "@", "\t"))
    assert from_sheet(cell) == text


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("text", ODD)
def test_no_part_is_a_formula_wherever_a_sheet_is_split(text: str, separator: str) -> None:
    for line in in_sheet(text).splitlines() or [""]:
        for part in line.split(separator):
            assert part.strip(" \u00a0")[:1] not in [*"=+-@\t\uff1d\uff0b\uff0d\uff20"]


@pytest.mark.parametrize("text", ["plain", "a=b", "a-b", "Mon; Tue", "a;b, c; d", ""])
def test_a_cell_without_a_formula_is_left_as_it_is(text: str) -> None:
    assert in_sheet(text) == text


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "</script><img src=x onerror=alert(1)>", '" onload="x'])
def test_a_value_is_no_tag(text: str) -> None:
    assert not set('<>"') & set(in_page(text))
    assert not set("<>") & set(in_markdown(text))


BREAKS = ("\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029")
PLAIN = [
    "plain, with a 5 % (dear) price: 1.50-2.00; it's new!",
    "-0.0500 (-0.0600 to -0.0400)",
    "NDCG@20",
    "Süßes & Saures, Comedy | Drama",
    "Tom &amp; Jerry &#124; &lt;b&gt;",
]
MARKUP = [
    *(f"a{line_break}# heading" for line_break in BREAKS),
    *(f"a{line_break}{line_break}- item" for line_break in BREAKS),
    "# heading",
    "a|b",
    "a\\|b",
    "a\\\\|b",
    "a\\\\\\|b",
    "\\",
    "![](https://evil.example/p.png)",
    "![a][b] [b]: https://evil.example",
    "[click](javascript:alert(1))",
    "\\[click](javascript:alert(1))",
    "&#91;click](javascript:alert(1))",
    "<https://evil.example>",
    "https://evil.example and www.evil.example and HTTP://EVIL.EXAMPLE",
    "<script>alert(1)</script>",
    "<!-- ",
    "**bold** _slanted_ `code` ~~gone~~ $x$",
    "`a|b`",
    "text{: onclick=alert(1) }",
    "[^1]",
]


class Read(HTMLParser):
    """The names of the tags, and the texts of the cells."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag if not [name for name, _ in attrs if name != "style"] else f"{tag} with {attrs}")
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.cells and data.strip():
            self.cells[-1] += data


TAGS = ["table", "thead", "tr", "th", "th", "tbody", "tr", "td", "td"]
RENDERERS: dict[str, Callable[[str], str]] = {
    "GitHub's": MarkdownIt("gfm-like", {"linkify": False}).render,
    "Zensical's": lambda text: markdown.markdown(text, extensions=["tables", "attr_list", "footnotes"]),
}


@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize("text", [*MARKUP, *PLAIN])
def test_a_cell_is_shown_as_it_was_written_and_is_nothing_else(text: str, renderer: str) -> None:
    page = RENDERERS[renderer](f"| head | second |\n|---|---|\n| {in_markdown(text)} | 2 |\n")
    read = Read(page)
    assert read.tags == TAGS
    assert read.cells == ["head", "second", " ".join(text.split()), "2"]


@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize("text", ["a|b", "a\\|b", "a\\\\|b", "`a`|``", "a\r\n|b", "![](https://evil.example)", "<b>"])
def test_code_in_a_cell_is_code_alone(text: str, renderer: str) -> None:
    page = RENDERERS[renderer](f"| head | second |\n|---|---|\n| {in_code(text)} | 2 |\n")
    read = Read(page)
    assert read.tags == [*TAGS[:-1], "code", TAGS[-1]]
    assert read.cells[2:] == [" ".join(text.split()).replace("`", "'").replace("|", "¦"), "2"]


def test_no_address_becomes_a_link_by_itself() -> None:
    assert in_markdown("HTTPS://a.b, www.c.d, note: 1") == "HTTPS&#58;//a.b, www&#46;c.d, note: 1"


@pytest.mark.parametrize("text", PLAIN[:3])
def test_what_is_harmless_stays_readable_in_the_file(text: str) -> None:
    assert in_markdown(text) == text

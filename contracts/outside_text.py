"""Text from outside, such as an id or a profile value, as it may stand in a page, a Markdown file or a sheet.

What writes such a file takes its cells through here: a value was run as a script in the drift page, a spreadsheet
computes a cell that begins like a formula, and a value in brackets was an image that the model card's reader fetched.
"""

import re
from html import escape
from typing import Final

MARK: Final = "'"
"""In front of a cell: spreadsheets take it for text, and `from_sheet` takes the mark off again."""
CELL: Final = "(^|[,;\t\r\n])"
"""Where a cell begins: sheets are split at other characters in other countries, whatever wrote the file."""
TO_MARK: Final = re.compile(f"{CELL}(?=[ \u00a0]*[=+@\t\r\n{MARK}\uff1d\uff0b\uff0d\uff20-])")
"""Before what a spreadsheet computes (OWASP, "CSV Injection"; full-width signs, too), and before a mark."""
MARKED: Final = re.compile(f"{CELL}{MARK}")
MARKUP: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;"} | {character: f"&#{ord(character)};" for character in "\\`*_[]{}|~$"}
)
"""What begins markup inside of a line. Behind a backslash it still may: renderers disagree in tables."""
ADDRESS: Final = re.compile("(?i)(?<=[a-z])[:](?=//)|(?<=\\bwww)[.]")
"""What makes a link of an address on GitHub."""


def in_page(text: str) -> str:
    """The text in HTML, between tags, in an attribute, or in a script's data."""
    return escape(text, quote=True)


def in_markdown(text: str) -> str:
    """The text in a cell of a Markdown table or behind words of ours: no markup, no link, no new cell, no new line."""
    plain = " ".join(text.split()).translate(MARKUP)
    return ADDRESS.sub(lambda found: f"&#{ord(found[0])};", plain)


def in_code(text: str) -> str:
    """The text as code in a cell of a Markdown table, where GitHub mentions nobody; code knows no escapes."""
    plain = " ".join(text.split()).replace("`", "'").replace("|", "¦")
    return f"`{plain}`" if plain else "–"


def in_sheet(text: str) -> str:
    """The text in a cell of a CSV file."""
    return TO_MARK.sub(rf"\1{MARK}", text)


def from_sheet(cell: str) -> str:
    """The text that `in_sheet` was given."""
    return MARKED.sub(r"\1", cell)

"""Text from outside, such as an id or a profile value, as it may stand in a page, a Markdown file or a sheet.

What writes such a file takes its cells through here: a value was run as a script in the drift page, and a spreadsheet
computes a cell that begins like a formula.
"""

from html import escape
from typing import Final

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a cell begins with that a spreadsheet computes (OWASP, "CSV Injection")."""
MARK: Final = "'"
"""In front of such a cell: spreadsheets take it for text, and `from_sheet` takes the mark off again."""


def in_page(text: str) -> str:
    """The text in HTML, between tags, in an attribute, or in a script's data."""
    return escape(text, quote=True)


def in_markdown(text: str) -> str:
    """The text in a cell of a Markdown table: no tag, no new cell, no new line."""
    return escape(" ".join(text.split("\n")), quote=False).replace("|", "\\|")


def in_sheet(text: str) -> str:
    """The text in a cell of a CSV file."""
    return f"{MARK}{text}" if text.startswith((*FORMULA, MARK)) else text


def from_sheet(cell: str) -> str:
    """The text that `in_sheet` was given."""
    return cell.removeprefix(MARK) if cell.startswith(MARK) else cell

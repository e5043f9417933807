"""What a topic hands to the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Chart:
    """A figure under the one sentence that it shows."""

    takeaway: str  # plain text, computed from the data
    figure: Any  # plotly.graph_objects.Figure


@dataclass(frozen=True)
class Group:
    """Some users with a name, in words and numbers."""

    name: str
    description: str


@dataclass(frozen=True)
class Section:
    """One topic. Without charts, `note` says why there is nothing to draw."""

    title: str
    charts: Sequence[Chart] = ()
    groups: Sequence[Group] = ()
    rows: Sequence[tuple[str, str]] = ()  # a table of two columns
    sentences: Sequence[str] = ()  # a list, one line each
    note: str = ""  # definitions, in plain text

    @property
    def anchor(self) -> str:
        """Name of the section in links."""
        return self.title.lower().replace(" ", "-")


@dataclass(frozen=True)
class KeyFigure:
    """One number of the summary."""

    value: str
    label: str
    detail: str


NO_PURCHASES = "This source has no purchases, so there is nothing to show here."

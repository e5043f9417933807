"""How charts look: one palette and one layout for the whole page."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import plotly.graph_objects as go

from contracts.events.schema import EventType

QUIET: Final = "#64727f"
GRID: Final = "#e6eaee"
MAIN: Final = "#2b6a99"  # purchases, and whatever a chart shows one of
SECOND: Final = "#d08a2e"
PALETTE: Final = (MAIN, SECOND, "#5a9a6e", "#a5527a", "#7a6cb0", "#8a8f94")
SCALE: Final = ((0.0, "#f3f7fa"), (0.5, "#7fb0d2"), (1.0, "#184a70"))
FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

EVENT_COLOURS: Final = {
    EventType.PURCHASE.value: MAIN,
    EventType.CART_ADD.value: SECOND,
    EventType.VIEW.value: "#9fb6c8",
    EventType.LIKE.value: "#a5527a",
    EventType.SEARCH.value: "#5a9a6e",
    EventType.CART_REMOVE.value: "#7a6cb0",
}


def event_colour(event_type: str) -> str:
    """The same colour for an event type in every chart."""
    return EVENT_COLOURS.get(event_type, "#8a8f94")


def figure(traces: Sequence[Any], x: str = "", y: str = "", height: int = 320, **layout: Any) -> Any:
    """Traces with the page's layout; axes do not zoom, so that a finger scrolls the page."""
    drawn = go.Figure(data=list(traces))
    axis = {"fixedrange": True, "gridcolor": GRID, "zeroline": False, "automargin": True}
    drawn.update_xaxes(**axis, **_titled(x), showgrid=False, linecolor=GRID, tickangle=0)
    drawn.update_yaxes(**axis, **_titled(y), rangemode="tozero")
    drawn.update_layout(
        height=height,
        margin={"l": 8, "r": 26, "t": 12, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "size": 13, "color": QUIET},
        hoverlabel={"font": {"family": FONT}},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "itemsizing": "constant"},
        bargap=0.15,
        dragmode=False,
    )
    drawn.update_layout(**layout)
    return drawn


def _titled(text: str) -> dict[str, Any]:
    """Nothing for no text: an empty title would still take its room."""
    return {"title": {"text": text, "standoff": 12, "font": {"size": 13}}} if text else {}


def bars(names: Iterable[Any], values: Iterable[float], label: str = "", colour: str = MAIN, **more: Any) -> Any:
    """Upright bars."""
    return go.Bar(x=list(names), y=list(values), name=label, marker={"color": colour, "line": {"width": 0}}, **more)


def lying_bars(names: Iterable[str], values: Iterable[float], label: str = "", colour: str = MAIN, **more: Any) -> Any:
    """Bars from left to right, for long names; the first name is drawn last, so at the top of a reversed axis."""
    marker = {"color": colour, "line": {"width": 0}}
    return go.Bar(x=list(values), y=list(names), name=label, orientation="h", marker=marker, **more)


def line(xs: Iterable[Any], ys: Iterable[float], label: str = "", colour: str = MAIN, **more: Any) -> Any:
    """A line through points."""
    # Plotly's simplification makes corners in curves on a logarithmic axis.
    style = {"color": colour, "width": 2, "simplify": False}
    return go.Scatter(x=list(xs), y=list(ys), name=label, mode="lines", line=style, **more)


def dots(xs: Iterable[float], ys: Iterable[float], label: str, colour: str) -> Any:
    """Points of one group; many of them, so half transparent."""
    marker = {"color": colour, "size": 5, "opacity": 0.55}
    return go.Scatter(x=list(xs), y=list(ys), name=label, mode="markers", marker=marker)


def heat(xs: Sequence[str], ys: Sequence[str], values: Sequence[Sequence[float]], hover: str) -> Any:
    """A grid of coloured cells; values[j][i] belongs to (xs[i], ys[j])."""
    return go.Heatmap(
        x=list(xs),
        y=list(ys),
        z=[list(row) for row in values],
        colorscale=[list(stop) for stop in SCALE],
        xgap=2,
        ygap=2,
        showscale=False,
        hovertemplate=hover,
    )


def funnel(names: Sequence[str], values: Sequence[int], colours: Sequence[str]) -> Any:
    """Steps that fewer and fewer reach."""
    return go.Funnel(
        y=list(names),
        x=list(values),
        texttemplate="%{value:,}<br>%{percentInitial:.1%}",
        textposition="auto",
        marker={"color": list(colours)},
        connector={"fillcolor": "#eef2f5", "line": {"width": 0}},
    )

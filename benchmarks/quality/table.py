"""The table of one data set: ours and the peers as measured, what others published, what must be reached."""

from collections.abc import Iterator

from benchmarks.quality.contest import Outcome
from benchmarks.quality.splits import DataSet


def header(data: DataSet) -> str:
    """The first two lines, in Markdown, so that the table can be put into docs/quality.md as it is."""
    recall, ndcg = data.metrics
    return (
        f"| {data.title} | {recall} | {ndcg} | seeds ± | fit and ask, s | search | memory MB | published |\n"
        "|---|---|---|---|---|---|---|---|"
    )


def row(outcome: Outcome) -> str:
    """What was measured of one entrant."""
    search = f"{len(outcome.trials)} trials, {outcome.search_seconds:.0f} s" if outcome.trials else ""
    spread = " / ".join(_short(value) for value in outcome.spread) if any(outcome.spread) else ""
    return (
        f"| {outcome.name} | {_interval(outcome.recall)} | {_interval(outcome.ndcg)} | {spread} "
        f"| {outcome.seconds:.0f} | {search} | {outcome.memory_mb:.0f} | |"
    )


def published_rows(data: DataSet) -> Iterator[str]:
    """What others printed."""
    for name, figures in data.published.items():
        yield f"| {name} | | | | | | | {' / '.join(_short(value) for value in figures)} |"


def verdicts(data: DataSet, ours: Outcome) -> Iterator[str]:
    """One line a figure that must be reached: what was measured, what must be, what it aims at."""
    if data.bounds is None:
        return
    measured = (ours.recall[0], ours.ndcg[0])
    for name, value, must, aim in zip(data.metrics, measured, *data.bounds, strict=True):
        verdict = "aim reached" if value >= aim else "must reached" if value >= must else "NOT REACHED"
        yield f"{ours.name}, {data.title}: {name} {_short(value)}, must {_short(must)}, aim {_short(aim)}: {verdict}"


def _interval(values: tuple[float, float, float]) -> str:
    mean, low, high = (_short(value) for value in values)
    return f"{mean} ({low} to {high})"


def _short(value: float) -> str:
    return f"{value:.4f}".removeprefix("0")

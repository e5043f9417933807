"""The table of one data set: ours and the peers as measured, what others published, what must be reached."""

from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.quality.contest import Outcome
from benchmarks.quality.entrants import FINAL_LIST, ORACLE, OURS
from benchmarks.quality.metrics import Values, interval
from benchmarks.quality.splits import DataSet


def header(data: DataSet) -> str:
    """The first two lines, in Markdown, so that the table can be put into docs/explanation/quality.md as it is."""
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


def figures(data: DataSet, outcomes: Sequence[Outcome]) -> dict[str, dict[str, float]]:
    """The table's numbers by entrant, and ours less each other's, for a result file of `scripts/figures`."""
    recall, ndcg = data.metrics
    known = {one.name: one for one in outcomes}
    measured = {name: _all_items(one, recall, ndcg) | _new(one, recall, ndcg) for name, one in known.items()}
    if ORACLE in known:
        for name, one in known.items():
            measured[name]["share_of_the_oracle"] = one.ndcg[0] / known[ORACLE].ndcg[0]
    for name, of_users in _less(outcomes):
        measured[name] = {key: value for metric, values in zip(data.metrics, of_users, strict=True)
                          for key, value in _with_ends(metric, interval(values)).items()}  # fmt: skip
    return measured


def _all_items(one: Outcome, recall: str, ndcg: str) -> dict[str, float]:
    of_recall, of_ndcg = one.spread
    return {
        **_with_ends(recall, one.recall),
        **_with_ends(ndcg, one.ndcg),
        f"{recall}_spread": of_recall,
        f"{ndcg}_spread": of_ndcg,
        "seconds": one.seconds,
    }


def _with_ends(metric: str, values: tuple[float, float, float]) -> dict[str, float]:
    """A mean and the ends of its interval, by the names that a table of the documents gives them."""
    mean, low, high = values
    return {metric: mean, f"{metric}_low": low, f"{metric}_high": high}


def _new(one: Outcome, recall: str, ndcg: str) -> dict[str, float]:
    if one.new is None:
        return {}
    found = one.new
    return {
        f"new_{recall}": float(found.recall.mean()),
        f"new_{ndcg}": float(found.ndcg.mean()),
        "new_items_shown": found.items,
    }


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
        yield f"{ours.name}, {data.title}: {name} {_short(value)}{_against(value, must, aim)}"


def oracle_shares(data: DataSet, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """One line an entrant with its share of the oracle's NDCG; nothing where nobody knows the truth."""
    known = {one.name: one.ndcg[0] for one in outcomes}
    if data.oracle_share is None or ORACLE not in known:
        return
    must, aim = data.oracle_share
    best = known.pop(ORACLE)
    for name, value in known.items():
        share = value / best
        asked = _against(share, must, aim) if name == OURS else ""
        yield f"{name}, {data.title}: share of the oracle's {data.metrics[1]} {_short(share)}{asked}"


def differences(data: DataSet, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Ours less each other entrant, user by user: intervals of two rows may overlap where this one is above zero."""
    for at, (name, of_users) in enumerate(_less(outcomes)):
        ours, _, other = name.partition(" less ")
        if not at:
            yield f"| {ours} less | {' | '.join(data.metrics)} |"
            yield "|---|---|---|"
        yield f"| {other} | {' | '.join(_interval(interval(values)) for values in of_users)} |"


def _less(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, tuple[Values, ...]]]:
    """ "OURS less OTHER", and for each figure the difference of each user. Nothing where ours took no part."""
    ours = next((one for one in outcomes if one.name in (OURS, FINAL_LIST.name)), None)
    for other in outcomes if ours else ():
        if ours and other is not ours and other.name != ORACLE:
            pairs = zip(ours.of_users, other.of_users, strict=True)
            yield f"{ours.name} less {other.name}", tuple(own - its for own, its in pairs)


def discoveries_table(data: DataSet, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """What is new to each user, those with a history apart, and ours less each other entrant, user by user; nothing for
    a set that does not ask for it.
    """
    known = {one.name: one.new for one in outcomes if one.new is not None}
    if not known:
        return
    users, warm = next((len(one.warm), int(one.warm.sum())) for one in known.values())
    names = " | ".join(data.metrics)
    yield f"| new to the user, {users} users | {names} | {warm} warm: {names} | {users - warm} cold: {names} | items |"
    yield f"|---|{'---|' * 7}"
    for name, own in known.items():
        groups = (np.ones(users, np.bool_), own.warm, ~own.warm)
        figures = (_interval(interval(values[group])) if group.any() else "" for group in groups
                   for values in (own.recall, own.ndcg))  # fmt: skip
        yield f"| {name} | {' | '.join(figures)} | {own.items:.0f} |"
    ours = known.pop(OURS, None)
    if ours is None:
        return
    for name, other in known.items():
        less = (interval(ours.recall - other.recall), interval(ours.ndcg - other.ndcg))
        yield f"| {OURS} less {name} | {' | '.join(map(_interval, less))} | | | | | |"


def slices_table(data: DataSet, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """The first figure by slice of the users, and the best that could be; nothing for a set without slices."""
    if data.slices is None or not outcomes:
        return
    split = data.test()
    reachable = data.reachable(split) if data.reachable else {}
    slices = {"all": np.arange(len(split.users)), **data.slices(split)}
    yield f"| {data.metrics[0]} | {' | '.join(f'{name}, {len(users)} users' for name, users in slices.items())} |"
    yield f"|---|{'---|' * len(slices)}"
    for name, values in {**{one.name: one.of_users[0] for one in outcomes}, **reachable}.items():
        yield f"| {name} | {' | '.join(_short(float(values[users].mean())) for users in slices.values())} |"


def _against(value: float, must: float, aim: float) -> str:
    verdict = "aim reached" if value >= aim else "must reached" if value >= must else "NOT REACHED"
    return f", must {_short(must)}, aim {_short(aim)}: {verdict}"


def _interval(values: tuple[float, float, float]) -> str:
    mean, low, high = (_short(value) for value in values)
    return f"{mean} ({low} to {high})"


def _short(value: float) -> str:
    return f"{value:.4f}".removeprefix("0").replace("-0.", "-.")

"""One entrant on one set: chosen by validation, asked on test once a seed, in a process of its own."""

import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.discoveries import Discoveries, discoveries, mean_of
from benchmarks.quality.entrants import Choice, Entrant
from benchmarks.quality.metrics import Values, interval, per_user
from benchmarks.quality.peers.peer import counts, top_lists
from benchmarks.quality.splits import DataSet, Split, shortened

Read = Callable[[], DataSet]
SMOKE_USERS = 2000
MEGABYTE = 2**20
STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Outcome:
    """What the table prints of one entrant; figures are means over users, then over seeds."""

    name: str
    chosen: Choice
    trials: list[tuple[Choice, float, float]]  # each choice with its Recall and NDCG on validation
    recall: tuple[float, float, float]  # mean, and the ends of the 95 % interval
    ndcg: tuple[float, float, float]
    spread: tuple[float, float]  # standard deviations over seeds; 0 with one seed
    search_seconds: float
    seconds: float  # of fitting and asking one seed
    memory_mb: float  # the most that its process ever held
    of_users: tuple[Values, Values]  # [users] of each figure, mean over seeds
    new: Discoveries | None = None  # of what is new to the user, mean over seeds


def outcomes(read: Read, entrants: Iterable[Entrant], *, smoke: bool) -> Iterator[Outcome]:
    """Runs each entrant in a fresh process, so that its memory is its own.

    In a smoke run all in one: starting it takes longer than most fits.
    """
    context, tasks = multiprocessing.get_context("spawn"), None if smoke else 1
    with ProcessPoolExecutor(1, context, max_tasks_per_child=tasks) as pool:
        for entrant in entrants:
            yield pool.submit(_outcome, read, entrant, smoke).result()


def _outcome(read: Read, entrant: Entrant, smoke: bool) -> Outcome:
    data = read()
    started = time.perf_counter()
    chosen, trials = _search(data, entrant, smoke)
    searched = time.perf_counter()
    split = _split(data.test, smoke)
    runs, new = list[tuple[Values, Values]](), list[Discoveries]()
    for seed in _seeds(entrant, smoke):
        peer = entrant.build(**chosen, **seed)
        runs.append(_asked(data, peer, split))
        if found := discoveries(peer, split):
            new.append(found)
    seconds = (time.perf_counter() - searched) / len(runs)
    recalls, ndcgs = (np.stack(values) for values in zip(*runs, strict=True))  # [seeds, users]
    of_users = recalls.mean(axis=0), ndcgs.mean(axis=0)
    return Outcome(
        entrant.name, chosen, trials, interval(of_users[0]), interval(of_users[1]),
        (float(recalls.mean(axis=1).std()), float(ndcgs.mean(axis=1).std())), searched - started, seconds,
        peak_mb(), of_users, mean_of(new) if new else None,
    )  # fmt: skip


def peak_mb() -> float:
    """The most memory that this process ever held."""
    if STATUS.is_file():  # what getrusage says on Linux begins with what the parent held
        return next(int(line.split()[1]) / 1024 for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (MEGABYTE if sys.platform == "darwin" else 1024)


def _search(data: DataSet, entrant: Entrant, smoke: bool) -> tuple[Choice, list[tuple[Choice, float, float]]]:
    """(the best choice by NDCG on validation, all trials); nothing is tried where there is nothing to choose."""
    grid = [entrant.smoke or entrant.grid[0]] if smoke else list(entrant.grid)
    if len(grid) == 1:
        return grid[0], []
    split = _split(data.validation, smoke)
    seed = _seeds(entrant, smoke)[0]
    trials = []
    for choice in grid:
        recalls, ndcgs = _asked(data, entrant.build(**choice, **seed), split)
        trials.append((choice, float(recalls.mean()), float(ndcgs.mean())))
        print(
            f"  {entrant.name} {dict(choice)}: {trials[-1][1]:.4f} {trials[-1][2]:.4f} on validation",
            file=sys.stderr,
            flush=True,
        )
    return max(trials, key=lambda trial: trial[2])[0], trials


def _asked(data: DataSet, peer: Any, split: Split) -> tuple[Values, Values]:
    """([users] Recall, [users] NDCG), or the set's own two figures, of a peer fitted to the split."""
    peer.fit(split)
    lists = top_lists(peer, split, counts(split, binary=True))
    return (data.figures or per_user)(lists, [split.truths[user] for user in split.users], split.k)


def _seeds(entrant: Entrant, smoke: bool) -> list[dict[str, int]]:
    seeds = list(entrant.seeds)[: 1 if smoke else None]
    return [{"seed": seed} for seed in seeds] or [{}]


def _split(read: Callable[[], Split], smoke: bool) -> Split:
    return shortened(read(), SMOKE_USERS) if smoke else read()

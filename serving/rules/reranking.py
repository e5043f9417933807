"""What a list gives up of its likelihood for variety, or for learning what nobody knows yet: MMR and exploration."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from contracts.arrays import Floats, Rows
from serving.rules.compiled_rule import CompiledRule

POOL: Final = 5
"""MMR chooses among this many candidates for each place: items below them are never likely enough."""


def diversified(
    rows: Rows,
    strengths: npt.NDArray[np.float64],
    order: Rows,
    n: int,
    rules: Sequence[CompiledRule],
    acted: dict[int, list[str]],
) -> Rows:
    """The order with its first n as the diversity rule has them; acted notes those that it brought there."""
    for rule in rules:
        if rule.rule.diversity and rule.embeddings is not None and len(order):
            vectors = rule.embeddings.take(rows[order[: POOL * n]], axis=0)
            diverse = by_relevance_and_likeness(order, strengths, vectors, rule.rule.diversity.strength, n)
            for position in set(diverse[:n].tolist()) - set(order[:n].tolist()):
                acted.setdefault(position, []).append(rule.name)
            order = diverse
    return order


def explored(
    free: list[int], places: int, rules: Sequence[CompiledRule], acted: dict[int, list[str]], seed: int | None
) -> tuple[list[int], dict[int, float]]:
    """(free as the exploring rule leaves it, propensities by position); acted notes those that chance brought."""
    for rule in rules:
        if explore := rule.rule.explore:
            draw = np.random.default_rng(seed)
            free, propensities, drawn = by_chance(free, places, explore.share, explore.among, draw)
            for position in drawn:
                acted.setdefault(position, []).append(rule.name)
            return free, propensities
    return free, {}


def by_relevance_and_likeness(
    order: Rows, strengths: npt.NDArray[np.float64], vectors: Floats, strength: float, n: int
) -> Rows:
    """[k] the order with its first n by maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998).

    order: [k] positions best first. strengths: [k] by position, on a log scale. vectors: [m, embedding_dim] of the
    order's first m, from which the n are chosen. strength: 0 leaves the order, 1 looks at likeness alone.
    """
    pool = order[: len(vectors)]
    relevance = strengths[pool] - strengths[pool].min()
    relevance /= max(float(relevance.max()), 1e-9)
    units = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    likeness, left, chosen = np.zeros(len(pool)), np.ones(len(pool), np.bool_), list[int]()
    for _ in range(min(n, len(pool))):
        best = int(np.argmax(np.where(left, (1 - strength) * relevance - strength * likeness, -np.inf)))
        chosen.append(best)
        left[best] = False
        likeness = np.maximum(likeness, units @ units[best])
    return np.concatenate([pool[chosen], pool[left], order[len(pool) :]])


def by_chance(
    order: Sequence[int], places: int, share: float, among: int, draw: np.random.Generator
) -> tuple[list[int], dict[int, float], list[int]]:
    """(the order, the propensity of each of its first `places`, those that were drawn).

    Each place is given with probability `share` to one of the best `among` that are left, each as likely, and else to
    the best of them. The propensity of what is shown there is conditional on the places before it.
    """
    left, propensities, drawn = list(order), dict[int, float](), list[int]()
    for place in range(min(places, len(left))):
        width = min(among, len(left) - place)
        at = place + (int(draw.integers(width)) if draw.random() < share else 0)
        shown = left.pop(at)
        left.insert(place, shown)
        propensities[shown] = share / width + (1 - share) * (at == place)
        if at > place:
            drawn.append(shown)
    return left, propensities, drawn

"""Business rules over one bundle: what they keep out, what they ask for, and the list they make of candidates."""

from collections import Counter
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from contracts.arrays import Floats, Rows
from contracts.ranking.candidates import Mask
from serving.rules.compiled_rule import CompiledRule
from serving.rules.reranking import diversified, explored


@dataclass(frozen=True)
class Arrangement:
    """What to show, as positions in the candidates, and what the rules did."""

    positions: list[int]  # in the order to show
    order: list[int]  # all candidates, as they would be without rules
    acted: Mapping[int, list[str]] = field(default_factory=dict)  # names of the rules that moved a shown candidate
    touched: Mapping[int, list[str]] = field(default_factory=dict)  # the same for every candidate, shown or not
    left_out: Mapping[int, str] = field(default_factory=dict)  # the cap that passed over a candidate
    propensities: Mapping[int, float] = field(default_factory=dict)  # of what chance might have shown otherwise


def arrange(
    rows: Rows,
    likelihoods: Floats,
    order: Rows,
    n: int,
    rules: Sequence[CompiledRule],
    offset: int = 0,
    seed: int | None = None,
) -> Arrangement:
    """The list of up to n that the rules make.

    rows: [k] distinct catalogue rows of the candidates. likelihoods: [k] on a log scale, as a listwise ranker scores.
    order: [k] positions best first without rules. offset: items on earlier pages; a pin counts from the first page.
    seed: of what is left to chance, None draws anew each time.
    """
    if not rules:
        return Arrangement(order[:n].tolist(), order.tolist())
    plain = order.tolist()
    acted: dict[int, list[str]] = {}
    order, strengths = _boosted(rows, likelihoods, order, rules, acted)
    order = diversified(rows, strengths, order, n, rules, acted)
    order = _buried(rows, order, rules, acted)
    pins = _pins(rows, n, offset, rules)
    pinned = {position: name for name, position in pins.values()}
    caps = _Caps(rows, rules)
    for position in pinned:
        caps.take(position)
    free = [at for at in order.tolist() if at not in pinned]
    free, propensities = explored(free, n - len(pins), rules, acted, seed)
    reserved = _reserved(rows, free, n, caps.again(), rules, pinned)
    chosen, left_out = _chosen(free, n - len(pins), caps, reserved, acted)
    for position, name in pinned.items():
        acted.setdefault(position, []).append(name)
    shown = _slotted(chosen, {slot: position for slot, (_, position) in pins.items()}, n)
    return Arrangement(shown, plain, {at: acted[at] for at in shown if at in acted}, acted, left_out, propensities)


def _boosted(
    rows: Rows, likelihoods: Floats, order: Rows, rules: Sequence[CompiledRule], acted: dict[int, list[str]]
) -> tuple[Rows, npt.NDArray[np.float64]]:
    """(order, strengths): a factor on the likelihood is a summand on the log scale; equal ones keep their order."""
    strengths, boosted = likelihoods.astype(np.float64), False
    for rule in rules:
        if rule.rule.boost and rule.members is not None:
            touched = rule.members[rows]
            strengths = strengths + touched * np.log(rule.rule.boost.factor)
            boosted |= bool(touched.any())
            _note(acted, touched, rule.name)
    if not boosted:
        return order, strengths
    return order[np.argsort(-strengths[order], kind="stable")], strengths


def _buried(rows: Rows, order: Rows, rules: Sequence[CompiledRule], acted: dict[int, list[str]]) -> Rows:
    last = np.zeros(len(rows), np.bool_)
    for rule in rules:
        if rule.rule.bury and rule.members is not None:
            touched = rule.members[rows]
            last |= touched
            _note(acted, touched, rule.name)
    return np.concatenate([order[~last[order]], order[last[order]]])


def _note(acted: dict[int, list[str]], touched: Mask, name: str) -> None:
    for position in np.flatnonzero(touched).tolist():
        acted.setdefault(position, []).append(name)


def _pins(rows: Rows, n: int, offset: int, rules: Sequence[CompiledRule]) -> dict[int, tuple[str, int]]:
    """Slot of this page to (rule, position in the candidates); pins to other pages are not for this list."""
    where = {int(row): position for position, row in enumerate(rows)}
    pins: dict[int, tuple[str, int]] = {}
    for rule in rules:
        if rule.rule.pin and rule.pinned_row in where:
            slot, position = rule.rule.pin.position - 1 - offset, where[rule.pinned_row]
            if 0 <= slot < n and position not in {taken for _, taken in pins.values()}:
                pins[slot] = (rule.name, position)
    return pins


class _Caps:
    """How many of each kind a list holds so far."""

    def __init__(self, rows: Rows, rules: Sequence[CompiledRule]) -> None:
        self._caps = [
            (rule.name, rule.rule.cap.at_most, rule.groups[rows].tolist())
            for rule in rules
            if rule.rule.cap and rule.groups is not None
        ]
        self._counts: list[Counter[int]] = [Counter() for _ in self._caps]

    def again(self) -> "_Caps":
        """The same counts, to go on from twice."""
        twin = copy(self)
        twin._counts = [Counter(count) for count in self._counts]
        return twin

    def full(self, position: int) -> str | None:
        """Name of the cap that has no room for a candidate; code 0 stands for unknown and is never capped."""
        for (name, at_most, groups), count in zip(self._caps, self._counts, strict=True):
            if groups[position] and count[groups[position]] >= at_most:
                return name
        return None

    def take(self, position: int) -> None:
        """Counts a candidate in."""
        for (_, _, groups), count in zip(self._caps, self._counts, strict=True):
            count[groups[position]] += 1


def _reserved(
    rows: Rows, free: list[int], n: int, caps: _Caps, rules: Sequence[CompiledRule], pinned: Mapping[int, str]
) -> dict[int, str]:
    """Position to rule: the best members of each quota, as far as candidates, caps and the length of the list go."""
    reserved: dict[int, str] = {}
    for rule in rules:
        if rule.rule.quota is None or rule.members is None:
            continue
        member = rule.members[rows]
        missing = rule.rule.quota.at_least - sum(bool(member[at]) for at in (*pinned, *reserved))
        for at in free:
            if missing <= 0 or len(reserved) >= n - len(pinned):
                break
            if member[at] and at not in reserved and caps.full(at) is None:
                caps.take(at)
                reserved[at] = rule.name
                missing -= 1
    return reserved


def _chosen(
    free: list[int], slots: int, caps: _Caps, reserved: Mapping[int, str], acted: dict[int, list[str]]
) -> tuple[list[int], dict[int, str]]:
    """(positions to show around the pins, positions that a cap passed over)."""
    plain, left_out = _filled(free, slots, caps.again(), frozenset())
    promoted = reserved.keys() - set(plain)
    if not promoted:
        return plain, left_out
    for position in promoted:
        acted.setdefault(position, []).append(reserved[position])
    for position in reserved:
        caps.take(position)
    return _filled(free, slots, caps, frozenset(reserved))


def _filled(free: list[int], slots: int, caps: _Caps, reserved: frozenset[int]) -> tuple[list[int], dict[int, str]]:
    """(positions in order, those that a cap passed over); the caps count the reserved ones already."""
    chosen: list[int] = []
    left_out: dict[int, str] = {}
    room = slots - len(reserved)
    for at in free:
        if at in reserved:
            chosen.append(at)
        elif room > 0:
            if full := caps.full(at):
                left_out[at] = full
                continue
            caps.take(at)
            chosen.append(at)
            room -= 1
    return chosen, left_out


def _slotted(chosen: list[int], pins: Mapping[int, int], n: int) -> list[int]:
    """Pins in their slots and the others around them; where others run out, later pins move up."""
    others = iter(chosen)
    slots = [pins[slot] if slot in pins else next(others, None) for slot in range(n)]
    return [position for position in slots if position is not None]

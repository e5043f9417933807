"""What an effect on lists may be: thresholds of a file, and how each one fares."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.errors import InvalidInput, MissingArtifact, faults_of
from contracts.yaml_keys import load
from monitoring.replay.effect import Effect, Latency, Side

Share = Annotated[float, Field(ge=0, le=1)]


class Thresholds(BaseModel):
    """Defaults refuse what is broken and let what is different pass: a canary and an experiment say whether it is good.

    Overlap and coverage are held as the canary's analysis holds them (rollout/settings.py).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_lists: int = Field(20, ge=1)  # compared; fewer say nothing
    max_refused_rise: Share = 0.01  # share of requests that the challenger refuses, above the champion's
    max_empty_rise: Share = 0.0  # share of empty lists, above the champion's
    max_shortfall_rise: Share = 0.01  # share of lists shorter than asked for
    max_degraded_rise: Share = 0.01  # share of lists below the full path, of users with features
    max_changed_users: Share = 1.0  # users with another list; a change of code alone may set 0
    min_overlap: Share = 0.1  # mean overlap@k
    min_rbo: Share = 0.1  # mean rank-biased overlap
    min_segment_overlap: Share = 0.05  # of each segment and surface that has min_segment_lists
    min_segment_lists: int = Field(20, ge=1)
    min_coverage_ratio: Share = 0.5  # distinct items shown, of the champion's number
    min_new_ratio: Share = 0.0  # share of places with new items, of the champion's share
    max_p95_ratio: float | None = Field(None, gt=0)  # of the seconds a list; None: not held, as machines differ


@dataclass(frozen=True)
class Held:
    """One threshold: what was measured, what is allowed, and in which direction."""

    name: str
    value: float
    limit: float
    at_most: bool  # else at least

    @property
    def holds(self) -> bool:
        """Whether the value is allowed."""
        return self.value <= self.limit if self.at_most else self.value >= self.limit

    def sentence(self) -> str:
        """For people: what was measured and what would have passed."""
        return f"{self.name} is {self.value:.3g}, {'at most' if self.at_most else 'at least'} {self.limit:.3g} passes"


def load_thresholds(path: Path | None) -> Thresholds:
    """The thresholds of a YAML file; a key left out, and no file at all, mean the default.

    Raises MissingArtifact where the file is not there, InvalidInput with all its faults.
    """
    if path is None:
        return Thresholds()
    try:
        return Thresholds.model_validate(load(path.read_text(encoding="utf-8")) or {})
    except FileNotFoundError as error:
        raise MissingArtifact(f"There is no file of thresholds {path}. Without --thresholds defaults hold.") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidInput(f"{path} cannot be read as YAML: {error}") from error
    except ValidationError as error:
        raise InvalidInput(f"{path}: {'; '.join(faults_of(error, of=Thresholds))}.") from error


def held(effect: Effect, limits: Thresholds, champion: Latency | None, challenger: Latency | None) -> list[Held]:
    """Every threshold that was asked, in the order of Thresholds; what has no limit is left out."""
    return [
        Held("lists compared", effect.compared, limits.min_lists, at_most=False),
        *_rises(effect, limits),
        Held("share of users with another list", _changed(effect), limits.max_changed_users, at_most=True),
        Held(f"mean overlap@{effect.k}", effect.change.overlap, limits.min_overlap, at_most=False),
        Held("mean rank-biased overlap", effect.change.rbo, limits.min_rbo, at_most=False),
        *_segments(effect, limits),
        *_ratios(effect, limits),
        *_latency(limits, champion, challenger),
    ]


def _changed(effect: Effect) -> float:
    return effect.change.changed_users / effect.change.users


def _rises(effect: Effect, limits: Thresholds) -> Iterator[Held]:
    before, after = effect.champion, effect.challenger
    asked = effect.compared + effect.refused
    rises = (
        ("refused requests", before.refused, after.refused, asked, limits.max_refused_rise),
        ("empty lists", before.empty, after.empty, effect.compared, limits.max_empty_rise),
        (
            "lists shorter than asked for",
            before.shortfalls,
            after.shortfalls,
            effect.compared,
            limits.max_shortfall_rise,
        ),
        ("degraded lists of known users", before.degraded, after.degraded, effect.compared, limits.max_degraded_rise),
    )
    for name, first, second, of, limit in rises:
        yield Held(f"rise of the share of {name}", (second - first) / of, limit, at_most=True)


def _segments(effect: Effect, limits: Thresholds) -> Iterator[Held]:
    groups = {**effect.by_surface, **effect.by_segment}
    for name, change in groups.items():
        if change.lists >= limits.min_segment_lists:
            yield Held(f"mean overlap@{effect.k} of {name}", change.overlap, limits.min_segment_overlap, at_most=False)


def _ratios(effect: Effect, limits: Thresholds) -> Iterator[Held]:
    before, after = effect.champion, effect.challenger
    shown = _ratio(after.shown_items, before.shown_items)
    yield Held("distinct items shown, by the champion's", shown, limits.min_coverage_ratio, at_most=False)
    new = _ratio(new_share(after), new_share(before))
    yield Held("exposure of new items, by the champion's", new, limits.min_new_ratio, at_most=False)


def new_share(side: Side) -> float:
    """Share of the places of all lists that hold a new item."""
    return side.new_places / max(side.places, 1)


def _ratio(after: float, before: float) -> float:
    """1 where neither side has any."""
    return after / before if before else 1.0


def _latency(limits: Thresholds, champion: Latency | None, challenger: Latency | None) -> Iterator[Held]:
    if limits.max_p95_ratio is None:
        return
    if champion is None or challenger is None or champion.p95 == 0:
        raise InvalidInput("max_p95_ratio needs times of both sides, and the champion's lists carry none.")
    yield Held("p95 of the time a list, by the champion's", challenger.p95 / champion.p95, limits.max_p95_ratio, True)

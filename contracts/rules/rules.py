"""Business rules: what a YAML file of them may say, with every fault of it named at once.

version: "2026-11"                  # yours; the answers carry it with a digest of the content
rules:
  - {name: own-brand, boost: {factor: 1.3, where: {brand: [Private]}}}
  - {name: launch, surfaces: [home], ends_at: 2026-12-01T00:00:00+01:00, pin: {item_id: "1000050", position: 1}}
  - {name: variety, cap: {at_most: 3, per: category}}
  - {name: some-produce, quota: {at_least: 2, where: {department: [Produce]}}}
  - {name: fuel-last, bury: {where: {department: [Fuel]}}}
  - {name: recalled, deny: {where: {item_id: ["1000002"]}}}
  - {name: spread, diversity: {strength: 0.2}}
  - {name: try-others, surfaces: [mail], explore: {share: 0.05, among: 50}}
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from contracts.errors import InvalidInput, faults_of
from contracts.rules.selection import ItemIds, Selection

ACTIONS: Final = ("pin", "boost", "bury", "deny", "cap", "quota", "diversity", "explore")
MAX_RULES: Final = 200
Surface = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,32}$")]
RuleName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Count = Annotated[int, Field(ge=1, le=100, strict=True)]


class Where(Selection):
    """Items that a rule is about: one of the values in every field that is given."""

    item_id: ItemIds = Field([], description="Only these items.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        fields = type(self).model_fields
        if all(getattr(self, name) == field.get_default(call_default_factory=True) for name, field in fields.items()):
            raise ValueError(f"names no items; give one of {', '.join(fields)}")
        return self


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Pin(_Part):
    """This item at this place, the first is 1."""

    item_id: Annotated[str, Field(min_length=1, max_length=128)]
    position: Count


class Boost(_Part):
    """Multiplies the likelihood that the ranker gives these items; below 1 they sink."""

    factor: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
    where: Where


class Bury(_Part):
    """These items after all others."""

    where: Where


class Deny(_Part):
    """These items never; the list is filled with others."""

    where: Where


class Cap(_Part):
    """Limits the items of each department, category or brand in a list; items without a known one are not limited."""

    at_most: Count
    per: Literal["department", "category", "subcategory", "brand"]


class Quota(_Part):
    """Asks for a least number of these items in a list, as far as there are any."""

    at_least: Count
    where: Where


class Diversity(_Part):
    """Items that are unlike those above them: maximal marginal relevance over the towers' embeddings."""

    strength: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]  # 1 less the paper's lambda


class Explore(_Part):
    """Places given to chance; the impression log says how likely what was shown there was to be shown."""

    share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]  # of the places
    among: Annotated[int, Field(ge=2, le=1000, strict=True)] = 50  # the best candidates that are left, each as likely


class Rule(_Part):
    """One thing that is done to lists, on some surfaces and for some time."""

    name: RuleName
    surfaces: list[Surface] = []  # all, where none is named
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None  # not in force any more at this moment
    pin: Pin | None = None
    boost: Boost | None = None
    bury: Bury | None = None
    deny: Deny | None = None
    cap: Cap | None = None
    quota: Quota | None = None
    diversity: Diversity | None = None
    explore: Explore | None = None

    @model_validator(mode="after")
    def _does_one_thing(self) -> Self:
        found = [action for action in ACTIONS if getattr(self, action) is not None]
        if len(found) != 1:
            raise ValueError(f"must have exactly one of {', '.join(ACTIONS)}, not {' and '.join(found) or 'none'}")
        if self.starts_at and self.ends_at and self.starts_at >= self.ends_at:
            raise ValueError(f"starts_at {self.starts_at.isoformat()} is not before ends_at")
        return self

    @property
    def where(self) -> Where | None:
        """The items it is about; None where it is about the list or one item."""
        part = self.boost or self.bury or self.deny or self.quota
        return part.where if part else None

    def in_force(self, surface: str, moment: datetime) -> bool:
        """Whether it holds for a list on this surface at this moment."""
        started = self.starts_at is None or self.starts_at <= moment
        return started and (self.ends_at is None or moment < self.ends_at) and surface in (self.surfaces or [surface])


class RuleSet(_Part):
    """All rules of one file."""

    version: Annotated[str, Field(min_length=1, max_length=64)]
    rules: Annotated[list[Rule], Field(max_length=MAX_RULES)]

    @property
    def rules_version(self) -> str:
        """The file's version and a digest of its content, which changes where the version was not changed."""
        return f"{self.version}-{hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:8]}"


def rule_set(payload: Any) -> RuleSet:
    """The rules of a parsed YAML file.

    Raises InvalidInput with every fault: of the file, of each rule, and between rules.
    """
    if not isinstance(payload, Mapping):
        raise InvalidInput(f"The file must be a mapping with version and rules, not {type(payload).__name__}.")
    listed = payload.get("rules")
    faults, rules = _each(listed if isinstance(listed, list) else [])
    try:
        found = RuleSet.model_validate({**payload, "rules": rules} if isinstance(listed, list) else payload)
    except ValidationError as error:
        faults = faults_of(error, of=RuleSet) + faults
    if faults := faults + _clashes(rules):
        counted = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise InvalidInput(f"{counted} in the rules: {'; '.join(faults)}.")
    return found


def _each(listed: list[Any]) -> tuple[list[str], list[Rule]]:
    """(faults, rules that have none); one faulty rule does not hide the faults of the next."""
    faults, rules = [], []
    for number, given in enumerate(listed, start=1):
        name = given.get("name") if isinstance(given, Mapping) else None
        try:
            rules.append(Rule.model_validate(given))
        except ValidationError as error:
            what = f"rule {number} ({name})" if name else f"rule {number}"
            faults += [f"{what} {fault}" for fault in faults_of(error, of=Rule)]
    return faults, rules


def _clashes(rules: list[Rule]) -> list[str]:
    """Faults that no rule has alone."""
    faults = [
        f"{count} rules are named {name!r}" for name, count in Counter(r.name for r in rules).items() if count > 1
    ]
    pins = [(rule, rule.pin) for rule in rules if rule.pin]
    for at, (one, pin) in enumerate(pins):
        for other, second in pins[at + 1 :]:
            if _meet(one, other):
                both = f"{one.name!r} and {other.name!r} at the same time and place pin"
                if pin.position == second.position:
                    faults.append(f"{both} to position {pin.position}")
                if pin.item_id == second.item_id:
                    faults.append(f"{both} item {pin.item_id!r}")
    return faults + _not_together(rules)


def _not_together(rules: list[Rule]) -> list[str]:
    """Faults of what can be in force once alone, and of what would make logged propensities wrong."""
    faults = []
    for at, one in enumerate(rules):
        for other in rules[at + 1 :]:
            pair = {action for action in ACTIONS for rule in (one, other) if getattr(rule, action) is not None}
            both = f"{one.name!r} and {other.name!r} at the same time and place"
            if pair in ({"explore", "cap"}, {"explore", "quota"}) and _meet(one, other):
                faults.append(f"{both}: a cap or a quota moves what was drawn, so its logged propensity would be wrong")
            if pair in ({"explore"}, {"diversity"}) and _meet(one, other):
                faults.append(f"{both} are two of {' '.join(pair)}")
    return faults


def _meet(one: Rule, other: Rule) -> bool:
    """Whether there is a surface and a moment at which both are in force."""
    surfaces = not one.surfaces or not other.surfaces or bool(set(one.surfaces) & set(other.surfaces))
    return surfaces and _begins_before_end(one, other) and _begins_before_end(other, one)


def _begins_before_end(one: Rule, other: Rule) -> bool:
    return one.starts_at is None or other.ends_at is None or one.starts_at < other.ends_at

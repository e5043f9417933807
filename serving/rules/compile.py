"""Business rules over one catalogue: what they keep out and what they ask for, as rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import reduce

import numpy as np

from contracts.arrays import Rows
from contracts.ranking.candidates import ItemSide, Mask
from contracts.rules.rules import Rule, RuleSet
from contracts.rules.selection import ATTRIBUTES
from serving.retrieval.filters import Vocabularies, known_rows, selecting
from serving.rules.compiled_rule import CompiledRule


@dataclass(frozen=True)
class CompiledRules:
    """All rules of a file over one catalogue."""

    rules_version: str | None = None  # None where no rules are configured
    rules: tuple[CompiledRule, ...] = ()
    unknown: tuple[str, ...] = ()  # what they name and the catalogue lacks

    def in_force(self, surface: str, moment: datetime) -> tuple[CompiledRule, ...]:
        """Those that hold for a list on this surface now."""
        return tuple(rule for rule in self.rules if rule.rule.in_force(surface, moment))


NO_RULES = CompiledRules()


def compiled(rules: RuleSet, items: ItemSide, vocabularies: Vocabularies) -> CompiledRules:
    """The rules over this catalogue, and the names in them that it lacks."""
    return CompiledRules(
        rules_version=rules.rules_version,
        rules=tuple(_compiled(rule, items, vocabularies) for rule in rules.rules),
        unknown=tuple(fault for rule in rules.rules for fault in unknown_names(rule, vocabularies)),
    )


def unknown_names(rule: Rule, vocabularies: Vocabularies) -> list[str]:
    """One line for each name in a rule that the catalogue lacks."""
    asked = {attribute: rule.where.terms(attribute) if rule.where else [] for attribute in ATTRIBUTES}
    lacking = [(a, term) for a, terms in asked.items() for term in terms if not vocabularies[a].spelled(term)]
    item_ids = [rule.pin.item_id] if rule.pin else rule.where.item_id if rule.where else []
    lacking += [("item", item) for item in item_ids if not len(known_rows([item], vocabularies))]
    return [f"rule {rule.name}: the catalogue has no {kind} {term!r}" for kind, term in lacking]


def _compiled(rule: Rule, items: ItemSide, vocabularies: Vocabularies) -> CompiledRule:
    if rule.pin:
        rows = known_rows([rule.pin.item_id], vocabularies)
        return CompiledRule(rule, pinned_row=int(rows[0]) if len(rows) else None)
    if rule.cap:
        return CompiledRule(rule, groups=items.codes_of(rule.cap.per))
    if rule.diversity or rule.explore:
        return CompiledRule(rule, embeddings=items.embeddings if rule.diversity else None)
    members = np.ones(len(items.in_stock), np.bool_)
    if rule.where:
        fitting = [mask for _, mask in selecting(rule.where, items, vocabularies, lenient=True)]
        members = reduce(np.logical_and, fitting, members)
        if rule.where.item_id:
            listed = np.zeros(len(members), np.bool_)
            listed[known_rows(rule.where.item_id, vocabularies)] = True
            members &= listed
    return CompiledRule(rule, members=members)


def denied(rules: Iterable[CompiledRule]) -> dict[str, Mask]:
    """Rows that each deny rule keeps out, by its name."""
    return {rule.name: rule.members for rule in rules if rule.rule.deny and rule.members is not None}


def pinned_rows(rules: Iterable[CompiledRule]) -> Rows:
    """Rows that must be candidates for the pins to be kept."""
    rows = [rule.pinned_row for rule in rules if rule.pinned_row is not None]
    return np.array(rows, np.int64)


def quotas(rules: Iterable[CompiledRule]) -> list[tuple[int, Mask]]:
    """(how many, of which rows) each quota asks for."""
    return [(r.rule.quota.at_least, r.members) for r in rules if r.rule.quota and r.members is not None]

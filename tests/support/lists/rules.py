"""Lists of the catalogue's items, arranged by rules."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from contracts.rules.rules import rule_set
from serving.rules.arrangement import Arrangement, arrange
from serving.rules.compile import compiled
from tests.support.lists.catalogue import IDS, items, vocabularies

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
NAMES = list(IDS)  # candidates best first; the i-th has the log-likelihood -i


def rules_of(*rules: dict[str, Any]) -> Any:
    named = [{"name": f"rule-{number}"} | rule for number, rule in enumerate(rules)]
    return compiled(rule_set({"version": "1", "rules": named}), items(), vocabularies())


def arranged(n: int, *rules: dict[str, Any], offset: int = 0, candidates: Sequence[str] = NAMES) -> Arrangement:
    active = rules_of(*rules).in_force("home", NOON)
    rows = np.array([IDS.index(name) for name in candidates])
    return arrange(rows, -np.arange(len(rows), dtype=np.float32), np.arange(len(rows)), n, active, offset)


def shown(arrangement: Arrangement, candidates: Sequence[str] = NAMES) -> list[str]:
    return [candidates[at] for at in arrangement.positions]

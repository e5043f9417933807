"""Lists for when the full path cannot be gone; each needs less than the one before."""

import numpy as np

from contracts.api import MAX_ITEMS, DegradedLevel, Reason
from contracts.candidates import NO_ROWS, POPULAR, RULE, first_allowed
from serving.draft import Draft, from_source
from serving.proposals import proposed_by_rules
from serving.scope import Scope

SPARE = 50
"""Candidates beyond the list, for caps to choose from."""


def popular(scope: Scope, reason: Reason) -> Draft:
    """What everybody buys; the last answer there is, it needs nothing but the bundle."""
    items, allowed = scope.bundle.items, scope.allowed(NO_ROWS)
    rows = first_allowed(items.popular, allowed, MAX_ITEMS + SPARE)
    asked = proposed_by_rules(scope.active, allowed, lambda k, members: first_allowed(items.popular, members, k))
    sources = from_source(POPULAR, rows)
    if new := len(added := asked[~np.isin(asked, rows)]):
        rows, sources = np.concatenate([rows, added]), np.concatenate([sources, from_source(RULE, added)])
    scores = items.popularity[rows]
    order = np.argsort(-scores, kind="stable") if new else np.arange(len(rows))
    return Draft(rows[order], scores[order], sources[order], DegradedLevel.POPULARITY, reason)

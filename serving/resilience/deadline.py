"""How long ago a request came, and what it has still time for."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Budget:
    """Latest start of each stage, in seconds since the request came; what would begin later is left out.

    So a server that cannot keep up gives cheaper answers instead of later ones.
    """

    retrieval_seconds: float = math.inf
    ranking_seconds: float = math.inf


@dataclass(frozen=True)
class Deadline:
    """One request's time."""

    budget: Budget
    arrived: float  # on the clock of seconds
    seconds: Callable[[], float] = time.monotonic

    def allows_retrieval(self) -> bool:
        """Whether the towers and the index may still be asked."""
        return self.seconds() - self.arrived <= self.budget.retrieval_seconds

    def allows_ranking(self) -> bool:
        """Whether the ranker may still be asked."""
        return self.seconds() - self.arrived <= self.budget.ranking_seconds


NO_DEADLINE: Final = Deadline(Budget(), arrived=0.0)

"""Matrix factorisation by the library `implicit`: iALS (Hu et al. 2008) and BPR (Rendle et al. 2009)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from threadpoolctl import threadpool_limits

from benchmarks.quality.peers.peer import Scores, counts, learned_counts
from benchmarks.quality.splits import Split
from contracts.arrays import Rows


class _Factors:
    """Inner products of learned factors."""

    _model: Any  # the library's names are factories of a CPU or a GPU class

    def scores(self, users: Rows) -> Scores:
        """User factors times item factors."""
        return np.asarray(self._model.user_factors[users] @ self._model.item_factors.T, dtype=np.float32)


@dataclass
class ImplicitAls(_Factors):
    """Weighted least squares on all cells."""

    factors: int = 128
    regularization: float = 0.05
    alpha: float = 10.0
    iterations: int = 15
    seed: int = 1

    def fit(self, split: Split) -> None:
        """Alternates closed-form solutions."""
        with threadpool_limits(1, "blas"):  # the library has threads of its own and warns of others
            self._model = AlternatingLeastSquares(
                factors=self.factors,
                regularization=self.regularization,
                alpha=self.alpha,
                iterations=self.iterations,
                random_state=self.seed,
            )
            self._model.fit(learned_counts(split, binary=not split.repeats), show_progress=False)
            # What a user did since the weights were fitted: one more half-step, for the users alone.
            asked = counts(split, binary=not split.repeats)
            self._model.user_factors[:] = self._model.recalculate_user(np.arange(asked.shape[0]), asked)


@dataclass
class ImplicitBpr(_Factors):
    """Pairwise ranking against random negatives."""

    factors: int = 128
    learning_rate: float = 0.05
    regularization: float = 0.01
    iterations: int = 100
    seed: int = 1

    def fit(self, split: Split) -> None:
        """Stochastic gradient descent over sampled pairs."""
        self._model = BayesianPersonalizedRanking(
            factors=self.factors, learning_rate=self.learning_rate, regularization=self.regularization,
            iterations=self.iterations, random_state=self.seed,
        )  # fmt: skip
        self._model.fit(learned_counts(split, binary=True), show_progress=False)

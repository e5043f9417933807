"""Who is most likely to buy within the next days: a classifier on users as of past snapshots, calibrated on later ones.

Labelled snapshots are split by time, and no label window of a part reaches into the next part: the classifier learns
from the oldest, isotonic regression maps its scores to probabilities on later ones, and the latest are held out to
report what that is worth. The model that scores is then made the same way from the latest snapshots.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from contracts.arrays import Doubles
from contracts.errors import InvalidInput
from contracts.features import encoding, names
from contracts.features.names import DAY_SECONDS
from training.dataset.dataset import Dataset
from training.feature_store.feast_import import FeatureStore
from training.feature_store.store import features_as_of, open_store
from training.metrics.reliability import ReliabilityBin, expected_error, reliability
from training.settings import DuckDBSettings
from training.threads import one_thread
from training.workspace import Workspace

HELD_OUT, CALIBRATION, TRAINING = 2, 4, 10  # snapshots of each part, at most in training
FIT_USERS = 50_000  # a sample of users this large says enough about all
EVER, RECENCY, FREQUENCY = (
    names.USER_STATISTICS.index(name) for name in ("user_baskets_365d", "user_days_since_last", "user_baskets_91d")
)
MODEL: Final = "propensity"
NUMBERS = len(names.USER_STATISTICS) + len(names.USER_ACTIVITY)  # the first columns of the inputs; codes follow


@dataclass(frozen=True)
class Ranking:
    """How well an order of users finds buyers: AUC, and the share of buyers among the first."""

    auc: float
    precision: dict[int, float]  # by the number of first users


@dataclass(frozen=True)
class PropensityReport:
    """Measured on snapshots later than everything the measured model has seen."""

    snapshots: int
    users: int  # at each of them
    buyers: float  # share of all
    rankings: dict[str, Ranking]
    bins: Sequence[ReliabilityBin]  # a tenth of the users each

    @property
    def as_good(self) -> list[str]:
        """The counts that order users no worse than the model, by AUC."""
        ours = self.rankings[MODEL].auc
        return [name for name, one in self.rankings.items() if name != MODEL and one.auc >= ours]

    @property
    def calibration_error(self) -> float:
        """Expected calibration error, weighted by users."""
        return expected_error(self.bins)


@dataclass(frozen=True)
class Buyers:
    """Row i is the user of rank i, most likely buyer first."""

    user_ids: tuple[str, ...]
    probabilities: Doubles
    report: PropensityReport


@dataclass(frozen=True)
class Labelled:
    """One snapshot: row i is a user as of it, and whether they bought in the days after."""

    inputs: npt.NDArray[np.float32]
    bought: npt.NDArray[np.bool_]


def most_likely_buyers(
    workspace: Workspace, count: int, horizon_days: int, as_of: int, limits: DuckDBSettings | None = None
) -> Buyers:
    """The count users most likely to buy in the horizon_days after as_of, one of the timeline's history_snapshots.

    All users where there are fewer. Raises InvalidInput when the log has too few snapshots with labels.
    """
    dataset, store = Dataset(workspace), open_store(workspace, limits=limits)
    training, calibration, held_out = split_snapshots(dataset.timeline.snapshots, horizon_days, as_of)
    user_ids = pq.read_table(workspace.ingested("users"), columns=[names.USER_ID])[names.USER_ID].to_pylist()
    sample = _sample(sorted(user_ids))
    moments = (*training, *calibration, *held_out)
    labelled = _labelled(dataset, store, sample, moments, horizon_days)
    measured = Propensity([labelled[m] for m in training], [labelled[m] for m in calibration])
    cuts = _cuts(count, len(user_ids), len(sample))
    report = measured_on([labelled[m] for m in held_out], measured, cuts)
    latest = moments[len(held_out) :]  # the same model, as much later as the held-out snapshots reach
    final = Propensity([labelled[m] for m in latest[:-CALIBRATION]], [labelled[m] for m in latest[-CALIBRATION:]])
    now = dataset.moment(as_of)
    asked = np.array(now.user_ids, dtype=object)
    inputs = _inputs(now.queries, activity_as_of(store, asked, np.full(len(asked), as_of)))
    first = np.argsort(-final.scores(inputs), kind="stable")[:count]
    return Buyers(tuple(now.user_ids[row] for row in first), final.probabilities(inputs[first]), report)


def split_snapshots(
    snapshots: Sequence[int], horizon_days: int, as_of: int
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """(training, calibration, held out) moments, oldest first; a part's labels are known when the next part begins.

    Raises InvalidInput when there are too few.
    """
    horizon = horizon_days * DAY_SECONDS

    def before(moment: int, most: int) -> tuple[int, ...]:
        return tuple(s for s in sorted(snapshots) if s + horizon <= moment)[-most:]

    held_out = before(as_of, HELD_OUT)
    calibration = before(held_out[0], CALIBRATION) if len(held_out) == HELD_OUT else ()
    training = before(calibration[0], TRAINING) if len(calibration) == CALIBRATION else ()
    if not training:
        raise InvalidInput(
            f"--horizon-days {horizon_days}: snapshots to learn from, to calibrate on and to measure on, each later "
            f"than the other's labels, need a longer log; there are {len(snapshots)} snapshots. A shorter horizon, "
            "more features.two_tower_weeks or a smaller features.snapshot_every_days would do."
        )
    return training, calibration, held_out


class Propensity:
    """Gradient-boosted trees and a logistic regression, and the isotonic map from their scores to probabilities.

    A thousand rows are too few for the trees, which then lose to the frequency of baskets; a hundred thousand have
    more to say than a line can (docs/experiments/likely-buyers.md has the figures).
    """

    def __init__(self, training: Sequence[Labelled], calibration: Sequence[Labelled]) -> None:
        self.trees = HistGradientBoostingClassifier(
            learning_rate=0.05, max_iter=150, max_leaf_nodes=15, l2_regularization=1.0, random_state=17
        )
        self.line = make_pipeline(
            FunctionTransformer(_logarithms), StandardScaler(), LogisticRegression(C=0.1, max_iter=500)
        )
        self._isotonic = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
        with one_thread():
            for model in (self.trees, self.line):
                model.fit(*_stacked(training))
        known, bought = _stacked(calibration)
        self._isotonic.fit(self.scores(known), bought)

    def scores(self, inputs: npt.NDArray[np.float32]) -> Doubles:
        """[n] mean log-odds. Isotonic steps have many ties, these have few: they rank."""
        with one_thread():
            scores: Doubles = (self.trees.decision_function(inputs) + self.line.decision_function(inputs)) / 2
        return scores

    def probabilities(self, inputs: npt.NDArray[np.float32]) -> Doubles:
        """[n] calibrated."""
        probabilities: Doubles = self._isotonic.predict(self.scores(inputs))
        return probabilities


def measured_on(held_out: Sequence[Labelled], model: Propensity, cuts: Sequence[int]) -> PropensityReport:
    """Measures of the model and of two simple heuristics."""
    orders: dict[str, Sequence[Doubles]] = {
        MODEL: [model.scores(part.inputs) for part in held_out],
        "most recent buyers": [_recency(part.inputs) for part in held_out],
        "most frequent buyers": [_statistics(part.inputs)[:, FREQUENCY].astype(np.float64) for part in held_out],
    }
    inputs, bought = _stacked(held_out)
    labels = [part.bought for part in held_out]
    return PropensityReport(
        snapshots=len(held_out),
        users=len(labels[0]),
        buyers=float(bought.mean()),
        rankings={name: _ranking(scores, labels, cuts) for name, scores in orders.items()},
        bins=reliability(model.probabilities(inputs), bought),
    )


def _ranking(scores: Sequence[Doubles], labels: Sequence[npt.NDArray[np.bool_]], cuts: Sequence[int]) -> Ranking:
    """Means over the held-out snapshots: each is one occasion to choose users."""
    orders = [np.argsort(-one, kind="stable") for one in scores]
    precision = {
        cut: float(np.mean([bought[order[:cut]].mean() for order, bought in zip(orders, labels, strict=True)]))
        for cut in cuts
    }
    auc = np.mean([roc_auc_score(bought, one) for one, bought in zip(scores, labels, strict=True)])
    return Ranking(float(auc), precision)


def _recency(inputs: npt.NDArray[np.float32]) -> Doubles:
    """Users who never bought come last."""
    statistics = _statistics(inputs)
    recency: Doubles = np.where(statistics[:, EVER] > 0, -statistics[:, RECENCY], -np.inf).clip(-1e9)
    return recency


def _cuts(count: int, users: int, sampled: int) -> tuple[int, ...]:
    """Where precision is read: at the asked share of users and at a tenth, both of the sample."""
    return tuple(sorted({max(sampled // 10, 1), max(round(min(count, users) * sampled / users), 1)}))


def _sample(user_ids: list[str]) -> list[str]:
    if len(user_ids) <= FIT_USERS:
        return user_ids
    rows = np.random.default_rng(17).choice(len(user_ids), FIT_USERS, replace=False)
    return [user_ids[row] for row in np.sort(rows)]


def _labelled(
    dataset: Dataset, store: FeatureStore, user_ids: list[str], moments: Sequence[int], horizon_days: int
) -> dict[int, Labelled]:
    """Inputs by moment; one point-in-time join for all of them."""
    users, seconds = np.tile(np.array(user_ids, dtype=object), len(moments)), np.repeat(moments, len(user_ids))
    queries, activity = dataset.queries_as_of(store, users, seconds), activity_as_of(store, users, seconds)
    inputs = np.split(_inputs(queries, activity), len(moments))
    labelled = {}
    for moment, known in zip(moments, inputs, strict=True):
        buyers = dataset.bought(moment, moment + horizon_days * DAY_SECONDS)
        labelled[moment] = Labelled(known, np.array([user in buyers for user in user_ids]))
    return labelled


def activity_as_of(
    store: FeatureStore, user_ids: npt.NDArray[np.object_], seconds: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """[n, len(USER_ACTIVITY)]; row i is user_ids[i] as of seconds[i], zeros where nothing is known."""
    table = features_as_of(store, names.USER_ACTIVITY_SERVICE, names.USER_ID, user_ids, seconds)
    counts = [table.column(name).to_numpy() for name in names.USER_ACTIVITY]
    known: npt.NDArray[np.float32] = np.nan_to_num(np.stack(counts, axis=1)).astype(np.float32)
    return known


def _inputs(queries: encoding.Inputs, activity: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """[n, statistics, windows of the other event types, and profile codes]"""
    parts = [queries[encoding.STATISTICS], activity, queries[encoding.PROFILE]]
    return np.concatenate(parts, axis=1).astype(np.float32)


def _logarithms(inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """[n, NUMBERS] of counts, days, money and shares; a line can say nothing about codes."""
    logarithms: npt.NDArray[np.float32] = np.log1p(np.maximum(inputs[:, :NUMBERS], 0.0))
    return logarithms


def _statistics(inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return inputs[:, : len(names.USER_STATISTICS)]


def _stacked(parts: Sequence[Labelled]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Raises InvalidInput where everybody or nobody bought: a model needs both."""
    inputs, bought = (np.concatenate([getattr(part, name) for part in parts]) for name in ("inputs", "bought"))
    if bought.all() or not bought.any():
        raise InvalidInput(
            f"{'All' if bought.all() else 'None'} of {len(bought)} users bought within the horizon: there is nothing "
            "to learn from. Another --horizon-days would do."
        )
    return inputs, bought

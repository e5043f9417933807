"""From raw files to a release bundle: ingest, features, point-in-time data sets, towers, ranker, evaluation."""

import contracts  # noqa: F401 - before NumPy loads: it says how its threads wait

"""From raw files to a release bundle: ingest, features, point-in-time data sets, towers, ranker, evaluation."""

import os

# Before anything loads OpenMP: its threads wait for each other by spinning, and on a busy machine two that spin take
# minutes where one takes seconds. Asleep, two are faster than one on a busy machine too (trees: 49 s instead of 67).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

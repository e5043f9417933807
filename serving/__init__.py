"""One process that answers: user features, retrieval, ranking, lists and the page; no TensorFlow."""

import contracts  # noqa: F401 - before NumPy loads: it says how its threads wait

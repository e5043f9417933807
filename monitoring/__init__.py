"""Whether what is served still looks like what was trained on: drift, exposure and degraded answers."""

import contracts  # noqa: F401 - before NumPy loads: it says how its threads wait

"""Tests; their names say what is promised."""

import contracts  # noqa: F401 - before NumPy loads: it says how its threads wait

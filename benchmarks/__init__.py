"""Measurements that people run; nothing here is a test."""

import contracts  # noqa: F401 - before NumPy loads: it says how its threads wait

"""Schemas and pure functions that training, serving and monitoring share: standard library, pydantic and numpy only."""

import os

# Before anything loads NumPy or OpenMP: their threads wait for work by spinning. OpenBLAS's do so for 25 ms after each
# product, so that a process with forty products in two seconds took 1.9 s of CPU, and with these 16,000 cycles 0.13 s.
# Trees grew in 67 s on a busy machine with threads of OpenMP that spin, in 49 s with threads that sleep.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "14")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

CONTRACT_VERSION = 5
"""Raised whenever a reader of an older version would misread a bundle or an online feature, or could not read it."""
OLDEST_CONTRACT = 4
"""Bundles of this contract and later ones are read."""

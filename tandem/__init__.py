"""The command line over training, serving and monitoring; in a notebook, `from tandem import recommend`."""

import contracts  # noqa: F401 - before NumPy loads: it says how its threads wait
from tandem.notebook import recommend

__all__ = ["recommend"]

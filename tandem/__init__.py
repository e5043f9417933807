"""The command line over training, serving and monitoring; in a notebook, `from tandem import recommend`."""

from tandem.notebook import recommend

__all__ = ["recommend"]

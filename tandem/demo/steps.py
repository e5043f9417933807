"""The steps of the demo by name."""

from enum import StrEnum
from typing import Final


class Step(StrEnum):
    """A bundle of the demo, in the order in which they serve."""

    FIRST = "first"
    SMALL = "small"
    FULL = "full"


TITLES: Final = {Step.FIRST: "From counts", Step.SMALL: "Trained on few weeks", Step.FULL: "Trained on everything"}

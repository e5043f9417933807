"""What the server writes about its own answers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from contracts.api.answers import DegradedLevel
from contracts.errors import MissingArtifact, faults_of

SLOT_HEADER: Final = "x-tandem-slot"
"""Request header by which a gateway sends a request to the slot that it names, whatever the weights are."""
MIRROR_HEADER: Final = "x-tandem-mirror"
"""Request header of a comparison, whose answers nobody sees: such a list leaves no record."""


class ImpressionRecord(BaseModel):
    """One served list as written to the impression log: what was shown, to whom, on which feature values.

    Row i of item_ids and scores is position i of the list. Monitoring compares `features` with the bundle's
    reference sample; ids never enter a drift test (a 50,000-category column costs half a minute and says nothing).
    """

    request_id: str
    served_at: str  # ISO 8601, UTC
    user_id: str
    bundle_version: str
    variant: str = "stable"
    propensity: float = 1.0  # of this user getting this variant, for estimates from logged answers
    forced: bool = False  # the variant was asked for by name: no part of an experiment
    degraded_level: DegradedLevel
    surface: str = "home"
    rules_version: str | None = None
    page_offset: int = 0  # items on earlier pages
    request: dict[str, Any] = {}  # the request without the user and without defaults; `tandem rules dry-run` replays it
    item_ids: list[str]
    scores: list[float]
    item_propensities: list[float] = []  # of each item at its place, given those above; empty: nothing left to chance
    features: dict[str, float | str]


def impression_records(log: Path) -> Iterator[tuple[int, ImpressionRecord | str]]:
    """(line number from 1, the record, or why the line cannot be read) of an impression log, in the order of the lines.

    A blank line is one of a user who was erased, and is passed over.

    Raises MissingArtifact where there is no log.
    """
    if not log.is_file():
        raise MissingArtifact(
            f"There is no impression log {log}. `tandem serve` writes one; TANDEM_IMPRESSION_LOG names it elsewhere."
        )
    with log.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.isspace():
                continue
            try:
                yield number, ImpressionRecord.model_validate_json(line)
            except ValidationError as error:
                yield number, faults_of(error, "line", of=ImpressionRecord)[0]

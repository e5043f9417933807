"""What an erasure answers with: where something was found, what is left and until when, and who says so.

A receipt names the person by keyed hash alone: it is kept, and shown to others, where the id must not be.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.errors import InvalidInput, faults_of

UNSIGNED: Final = "No signing key was given, so nobody vouches for this receipt."


class Erased(BaseModel):
    """One place that was looked through. found: rows, lines or keys that held the person; all of them are gone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    store: str
    found: int


class LearnedFrom(BaseModel):
    """A bundle whose weights have seen the person. No id is in it; it retires at the end of its life."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bundle_version: str
    made_at: str  # ISO 8601, UTC
    retires_on: str  # a day, UTC


class Receipt(BaseModel):
    """Receipt of one erasure."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    person: str  # keyed hash of the id
    erased_at: str  # ISO 8601, UTC
    stores: list[Erased]
    not_reached: list[str] = []  # stores that another command or server has to go through, and which
    bundles: list[LearnedFrom] = []
    last_retires_on: str = ""  # a day; empty where no bundle has learned from the person
    note: str = ""
    public_key: str = ""  # base64
    signature: str = ""  # base64, over signed_bytes

    def signed_bytes(self) -> bytes:
        """What the signature is over: everything but itself, in one spelling."""
        fields = self.model_dump(exclude={"signature"})
        return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def new_receipt(person: str, stores: Sequence[Erased], bundles: Sequence[LearnedFrom], **more: Any) -> Receipt:
    """The receipt of what was done now, unsigned."""
    return Receipt(
        person=person,
        erased_at=datetime.now(UTC).isoformat(timespec="seconds"),
        stores=list(stores),
        bundles=list(bundles),
        last_retires_on=max((one.retires_on for one in bundles), default=""),
        **more,
    )


def read_receipt(text: str) -> Receipt:
    """The receipt in a text. Raises InvalidInput for a text that is not a receipt."""
    try:
        return Receipt.model_validate_json(text)
    except ValidationError as error:
        raise InvalidInput(
            f"This is not a receipt of an erasure: {'; '.join(faults_of(error, 'file', of=Receipt))}."
        ) from error

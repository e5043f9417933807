"""The errors that several rooms raise, and the words for faults that pydantic finds.

A room whose error nobody else raises keeps it in the file that raises it, always as a child of TandemError.

TandemError                  exit code 2, HTTP 500
├── InvalidInput             HTTP 400   a request or an option is wrong; the text says what would work
├── NotAllowed               HTTP 401   a key is missing or wrong; the text says which header carries it
├── DataRejected                        input data cannot be used; the text counts the rows and names the reasons
├── MissingArtifact                     an earlier step has not been run; the text names the command
└── BundleRefused            HTTP 503   a bundle is altered, mixed or of another contract version
"""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from contracts.places import fields_at, nearest
from contracts.spelling import meant

MAX_FAULTS = 20
MAX_FAULT_LENGTH = 300
MAX_FIELDS = 64
"""Of one object; every model has fewer, and pydantic describes each field it does not know."""


class TandemError(Exception):
    """Base of the tree; its text is written for the person who can fix it."""

    http_status = 500


class InvalidInput(TandemError):
    """A request field or a command option that cannot be served as asked."""

    http_status = 400


class NotAllowed(TandemError):
    """A request without the key that it needs."""

    http_status = 401


class DataRejected(TandemError):
    """Input data that no amount of dropping rows makes usable."""


class MissingArtifact(TandemError):
    """A file that an earlier pipeline step would have written."""


class BundleRefused(TandemError):
    """A bundle that must not be served."""

    http_status = 503


def faults_of(
    found: ValidationError | Sequence[ErrorDetails], whole: str = "as a whole", *, of: Any = None
) -> list[str]:
    """Each fault as `field: what is wrong`, at most MAX_FAULTS of them and none longer than MAX_FAULT_LENGTH.

    found: pydantic's error, or its list. whole: what to call the input itself, where no field is at fault.
    of: what the input was to be, as places.py reads it: a field that there is not is named with those there are.
    """
    if isinstance(found, ValidationError):
        found = found.errors(include_url=False, include_input=False, include_context=False)
    shown = nearest(found, of)
    faults = [f"{'.'.join(map(str, place)) or whole}: {_said(fault, of)}" for place, fault in shown[:MAX_FAULTS]]
    texts = [text if len(text) <= MAX_FAULT_LENGTH else f"{text[:MAX_FAULT_LENGTH]}…" for text in faults]
    return [*texts, f"and {len(shown) - MAX_FAULTS} more"] if len(shown) > MAX_FAULTS else texts


def _said(fault: ErrorDetails, of: Any) -> str:
    """In pydantic's words, but where these leave out what would work."""
    if fault.get("type") != "extra_forbidden":  # FastAPI's handler is given what routes raise, too
        return fault["msg"].removeprefix("Value error, ")
    *place, name = fault["loc"]
    there = fields_at(of, tuple(place))
    return f"there is no such field{meant(str(name), there)}{'; there is ' if there else ''}{', '.join(there)}"


def few_fields(value: Any) -> Any:
    """The value, which a model is to be made of, unless it is an object of more than MAX_FIELDS fields.

    For models that forbid unknown fields, as a "before" validator: the limit stands before the work.
    Raises ValueError.
    """
    if isinstance(value, dict) and len(value) > MAX_FIELDS:
        raise ValueError(f"{len(value)} fields were sent, at most {MAX_FIELDS} are looked at")
    return value

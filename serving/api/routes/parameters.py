"""Parameters that several routes take."""

from collections import Counter
from typing import Annotated, Any, Final, get_origin

from fastapi import Header, Path, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BeforeValidator, Field

from contracts.api.requests import ListOptions
from contracts.limits import MAX_ID
from contracts.spelling import meant
from serving.api.paths import id_in
from serving.bundles.experiment import VARIANT_HEADER

Id = Annotated[str, Field(min_length=1, max_length=MAX_ID)]
Item = Annotated[Id, BeforeValidator(id_in), Path(description="Id of the item, as in the catalogue.")]
User = Annotated[Id, BeforeValidator(id_in), Path(description="Id of the user, as in the event log.")]
ForcedVariant = Annotated[
    str | None,
    Header(alias=VARIANT_HEADER, max_length=32, description="Forces a variant, outside of the experiment's figures."),
]


REPEATED: Final = frozenset(
    name for name, field in ListOptions.model_fields.items() if get_origin(field.annotation) is list
)
"""Parameters that may be given several times, as they are lists."""


def refuse_unclear_parameters(request: Request, known: set[str]) -> None:
    """A misspelt parameter is an error, not a default; and of two values for one parameter neither is meant.

    Raises RequestValidationError naming the parameters that exist, and those that were given twice.
    """
    there, given = sorted(known), request.query_params
    listed = ", ".join(there) or "none"
    faults = [
        _fault("unknown_parameter", name, f"unknown parameter{meant(name, there)}; there is {listed}")
        for name in sorted(set(given) - known)
    ]
    counts = Counter(name for name, _ in given.multi_items())
    faults += [
        _fault("repeated_parameter", name, f"given {counts[name]} times; give it once")
        for name in there
        if counts[name] > 1 and name not in REPEATED
    ]
    if faults:
        raise RequestValidationError(faults)


def _fault(kind: str, name: str, text: str) -> dict[str, Any]:
    return {"type": kind, "loc": ("query", name), "msg": text}

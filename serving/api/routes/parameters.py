"""Parameters that several routes take."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import Header, Path, Request
from fastapi.exceptions import RequestValidationError

from contracts.api.records import MIRROR_HEADER
from serving.bundles.experiment import VARIANT_HEADER

Item = Annotated[str, Path(min_length=1, max_length=128, description="Id of the item, as in the catalogue.")]
User = Annotated[str, Path(min_length=1, max_length=128, description="Id of the user, as in the event log.")]
ForcedVariant = Annotated[
    str | None,
    Header(alias=VARIANT_HEADER, max_length=32, description="Forces a variant, outside of the experiment's figures."),
]


def is_mirrored(headers: Mapping[str, str]) -> bool:
    """Whether nobody will see the answer."""
    return headers.get(MIRROR_HEADER) == "1"


def refuse_unknown_parameters(request: Request, known: set[str]) -> None:
    """A misspelt parameter is an error, not a default.

    Raises RequestValidationError naming the parameters that exist.
    """
    if unknown := sorted(set(request.query_params) - known):
        message = f"unknown parameter; there is {', '.join(sorted(known)) or 'none'}"
        raise RequestValidationError([{"loc": ("query", name), "msg": message} for name in unknown])

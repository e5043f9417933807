"""Parameters that several routes take."""

from typing import Annotated

from fastapi import Header, Path, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BeforeValidator, Field

from contracts.limits import MAX_ID
from contracts.places import meant
from serving.api.paths import id_in
from serving.bundles.experiment import VARIANT_HEADER

Id = Annotated[str, Field(min_length=1, max_length=MAX_ID)]
Item = Annotated[Id, BeforeValidator(id_in), Path(description="Id of the item, as in the catalogue.")]
User = Annotated[Id, BeforeValidator(id_in), Path(description="Id of the user, as in the event log.")]
ForcedVariant = Annotated[
    str | None,
    Header(alias=VARIANT_HEADER, max_length=32, description="Forces a variant, outside of the experiment's figures."),
]


def refuse_unknown_parameters(request: Request, known: set[str]) -> None:
    """A misspelt parameter is an error, not a default.

    Raises RequestValidationError naming the parameters that exist.
    """
    if unknown := sorted(set(request.query_params) - known):
        there = sorted(known)
        listed = ", ".join(there) or "none"
        raise RequestValidationError(
            [
                {
                    "type": "unknown_parameter",
                    "loc": ("query", name),
                    "msg": f"unknown parameter{meant(name, there)}; there is {listed}",
                }
                for name in unknown
            ]
        )

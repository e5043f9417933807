"""Profile values as a request names them."""

from collections.abc import Mapping, Sequence

from contracts.errors import InvalidInput
from contracts.features import USER_PROFILE
from contracts.vocabulary import Vocabulary


def profile_codes(named: Sequence[str], vocabularies: Mapping[str, Vocabulary]) -> dict[str, int]:
    """Vocabulary code by profile column, of texts like age_band=35-44.

    Raises InvalidInput for a column or a value that there is not, with those that there are.
    """
    codes = {}
    for text in named:
        column, _, value = text.partition("=")
        if column not in USER_PROFILE:
            columns = ", ".join(USER_PROFILE)
            raise InvalidInput(f"segment={text!r}: there is no profile column {column!r}; there is {columns}.")
        (code,) = vocabularies[column].encode([value]).tolist()
        if not code:
            known = ", ".join(map(repr, vocabularies[column].terms[:20]))
            raise InvalidInput(f"segment={text!r}: {column} has no value {value!r}; there is {known}.")
        codes[column] = code
    return codes

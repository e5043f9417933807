"""Feature values to model inputs; the one function that training and serving both call."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from contracts.features import names
from contracts.features.names import DAY_SECONDS
from contracts.features.vocabulary import Vocabulary

# Input names of the query tower, in the order of its signature.
USER: Final = "user"
PROFILE: Final = "profile"
STATISTICS: Final = "statistics"
SEQUENCE: Final = "sequence"
SEQUENCE_TYPES: Final = "sequence_types"
SEQUENCE_DAYS: Final = "sequence_days"
HOUR: Final = "hour"
WEEKDAY: Final = "weekday"
# Input names of the candidate tower, in the order of its signature.
ITEM: Final = "item"
CONTENT: Final = "content"
ITEM_STATISTICS_INPUT: Final = "item_statistics"
TEXT: Final = "text"

Inputs = dict[str, npt.NDArray[Any]]

_TYPE_CODES: Final = {kind: code for code, kind in enumerate(names.SEQUENCE_TYPES, start=1)}


def unpacked(features: Mapping[str, Any]) -> dict[str, Any]:
    """One user's features with a value for each of USER_STATISTICS instead of their array; None where nothing is known.

    Raises ValueError where the array has another length: it was written by another version.
    """
    named = dict(features)
    values = named.pop(names.USER_STATISTICS_VALUES)
    known = values if values is not None else [None] * len(names.USER_STATISTICS)
    return named | dict(zip(names.USER_STATISTICS, known, strict=True))


def query_inputs(
    user_ids: Sequence[str],
    features: Mapping[str, Sequence[Any]],
    vocabularies: Mapping[str, Vocabulary],
    hour: npt.NDArray[np.int32],
    weekday: npt.NDArray[np.int32],
) -> Inputs:
    """Inputs of the query tower for a batch of users.

    features maps each feature of QUERY_SERVICE to [batch] values as Feast returns them, None where nothing is known.
    Returns user [batch], profile [batch, 7], statistics [batch, 37], sequence [batch, 50] (0 = no item or an item
    that the vocabulary lacks) with its sequence_types (0 = none) and sequence_days (before the latest event), hour
    [batch], weekday [batch]. Row i of each belongs to user_ids[i].
    """
    profile = [vocabularies[column].encode(features[column]) for column in names.USER_PROFILE]
    return {
        USER: vocabularies[names.USER_ID].encode(user_ids),
        PROFILE: np.stack(profile, axis=1),
        STATISTICS: user_statistics(features),
        SEQUENCE: _padded(features[names.SEQUENCE_ITEM_IDS], vocabularies[names.ITEM_ID].encode_many, np.int32),
        SEQUENCE_TYPES: _padded(features[names.SEQUENCE_EVENT_TYPES], type_codes, np.int32),
        SEQUENCE_DAYS: _padded(features[names.SEQUENCE_TIMESTAMPS], _days_before_latest, np.float32),
        HOUR: hour,
        WEEKDAY: weekday,
    }


def type_codes(types: Sequence[str]) -> npt.NDArray[np.int32]:
    """[n] places in SEQUENCE_TYPES from 1 on, 0 for any other type."""
    return np.array([_TYPE_CODES.get(kind, 0) for kind in types], np.int32)


def candidate_inputs(
    items: npt.NDArray[np.int32],
    content: npt.NDArray[np.int32],
    statistics: npt.NDArray[np.float32],
    text: npt.NDArray[np.float32],
) -> Inputs:
    """Inputs of the candidate tower for k items: [k] catalogue row + 1 or 0 for one that it never saw, [k, 5] codes of
    ITEM_CONTENT, [k, len(ITEM_STATISTICS)], [k, TEXT_DIM].
    """
    return {ITEM: items, CONTENT: content, ITEM_STATISTICS_INPUT: statistics, TEXT: text}


def user_statistics(features: Mapping[str, Sequence[Any]]) -> npt.NDArray[np.float32]:
    """[batch, len(USER_STATISTICS)]; an unknown user has zeros."""
    return _numbers(features, names.USER_STATISTICS)


def item_statistics(features: Mapping[str, Sequence[Any]]) -> npt.NDArray[np.float32]:
    """[num_items, len(ITEM_STATISTICS)]; an item without events has zeros."""
    return _numbers(features, names.ITEM_STATISTICS)


def _numbers(features: Mapping[str, Sequence[Any]], columns: Sequence[str]) -> npt.NDArray[np.float32]:
    """[n, len(columns)], nothing known becomes 0."""
    values = np.ascontiguousarray(np.array([features[column] for column in columns], dtype=np.float32).T)
    return values if np.isfinite(values).all() else np.nan_to_num(values)


def _days_before_latest(timestamps: Sequence[int]) -> npt.NDArray[np.float64]:
    seconds = np.asarray(timestamps, np.float64)
    return (seconds[:1] - seconds) / DAY_SECONDS


def _padded(
    sequences: Sequence[Sequence[Any] | None],
    encode: Callable[[Sequence[Any]], npt.NDArray[Any]],
    kind: type[np.int32 | np.float32],
) -> npt.NDArray[Any]:
    """[n, SEQUENCE_LENGTH] encoded sequences, zeros behind their end."""
    padded = np.zeros((len(sequences), names.SEQUENCE_LENGTH), kind)
    for row, sequence in enumerate(sequences):
        if sequence is not None and len(sequence):
            codes = encode(sequence[: names.SEQUENCE_LENGTH])
            padded[row, : len(codes)] = codes
    return padded

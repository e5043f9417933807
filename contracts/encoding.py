"""Feature values to model inputs; the one function that training and serving both call."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from contracts import features as names
from contracts.vocabulary import OUT_OF_VOCABULARY, Vocabulary

# Input names of the query tower, in the order of its signature.
USER: Final = "user"
PROFILE: Final = "profile"
STATISTICS: Final = "statistics"
SEQUENCE: Final = "sequence"
HOUR: Final = "hour"
WEEKDAY: Final = "weekday"
# Input names of the candidate tower, in the order of its signature.
ITEM: Final = "item"
CONTENT: Final = "content"
ITEM_STATISTICS_INPUT: Final = "item_statistics"

Inputs = dict[str, npt.NDArray[Any]]


def query_inputs(
    user_ids: Sequence[str],
    features: Mapping[str, Sequence[Any]],
    vocabularies: Mapping[str, Vocabulary],
    hour: npt.NDArray[np.int32],
    weekday: npt.NDArray[np.int32],
) -> Inputs:
    """Inputs of the query tower for a batch of users.

    features maps each feature of QUERY_SERVICE to [batch] values as Feast returns them, None where nothing is known.
    Returns user [batch], profile [batch, 7], statistics [batch, 16], sequence [batch, 50] (0 = no item or an item
    that the vocabulary lacks), hour [batch], weekday [batch]. Row i of each belongs to user_ids[i].
    """
    profile = [vocabularies[column].encode(features[column]) for column in names.USER_PROFILE]
    return {
        USER: vocabularies[names.USER_ID].encode(user_ids),
        PROFILE: np.stack(profile, axis=1),
        STATISTICS: _numbers(features, names.USER_STATISTICS),
        SEQUENCE: _sequences(features[names.SEQUENCE_ITEM_IDS], vocabularies[names.ITEM_ID]),
        HOUR: hour,
        WEEKDAY: weekday,
    }


def item_statistics(features: Mapping[str, Sequence[Any]]) -> npt.NDArray[np.float32]:
    """[num_items, len(ITEM_STATISTICS)]; an item without events has zeros."""
    return _numbers(features, names.ITEM_STATISTICS)


def _numbers(features: Mapping[str, Sequence[Any]], columns: Sequence[str]) -> npt.NDArray[np.float32]:
    """[n, len(columns)], nothing known becomes 0."""
    return np.nan_to_num(np.array([features[column] for column in columns], dtype=np.float32).T)


def _sequences(sequences: Sequence[Sequence[str] | None], items: Vocabulary) -> npt.NDArray[np.int32]:
    padded = np.full((len(sequences), names.SEQUENCE_LENGTH), OUT_OF_VOCABULARY, np.int32)
    for row, sequence in enumerate(sequences):
        if sequence is not None:
            codes = items.encode(sequence[: names.SEQUENCE_LENGTH])
            padded[row, : len(codes)] = codes
    return padded

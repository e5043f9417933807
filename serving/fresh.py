"""What an online read says of a user, with what the user did lately laid over it."""

from typing import Any

from contracts.events import UNKNOWN
from contracts.features import RECENT_EVENTS, SEQUENCE_ITEM_IDS, USER_PROFILE
from contracts.freshness import apply_events, decode_events


def freshened(features: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The features as of a moment; those of ONLINE_SERVICE come in, those of SERVING_SERVICE go out."""
    recent = decode_events(features.pop(RECENT_EVENTS))
    if not recent:
        return features
    features = apply_events(features, recent, seconds)
    if features[SEQUENCE_ITEM_IDS] is not None:  # nobody has asked a new user for a profile yet
        features |= {name: UNKNOWN for name in USER_PROFILE if features[name] is None}
    return features

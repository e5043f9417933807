"""A request's user as one bundle's models read them."""

import numpy as np

from contracts.features import encoding, names
from contracts.features.engagements import user_engagements
from contracts.features.history import UserHistory, user_history
from contracts.ranking.candidates import BASKETS_COLUMN, UserSide
from serving.bundles.bundle import LoadedBundle
from serving.features.lookup import UserFeatures
from serving.runtime.clock import Now


def user_side(bundle: LoadedBundle, user_id: str, features: UserFeatures, history: UserHistory, now: Now) -> UserSide:
    """The user's query embedding, history and statistics as of now."""
    seconds, hour, weekday = now()
    inputs = encoding.query_inputs(
        [user_id],
        {name: [value] for name, value in features.items()},
        bundle.sealed.vocabularies,
        np.array([hour], np.int32),
        np.array([weekday], np.int32),
    )
    statistics = inputs[encoding.STATISTICS][0]
    return UserSide(
        query=bundle.embed(inputs)[0],
        history=history,
        statistics=statistics,
        baskets=float(statistics[BASKETS_COLUMN]),
        now=seconds,
        engagements=user_engagements(features, bundle.sealed.vocabularies[names.ITEM_ID], seconds)
        if bundle.reads_engagements
        else None,
    )


def history_in(bundle: LoadedBundle, features: UserFeatures) -> UserHistory:
    """The user's purchases that the bundle's catalogue knows."""
    return user_history({name: features[name] for name in names.HISTORY}, bundle.vocabularies[names.ITEM_ID])

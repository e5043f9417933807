"""Feast entities, feature views and services. Names come from contracts.features.names; nobody imports this file."""

from datetime import timedelta
from pathlib import Path

from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import Array, Float32, Float64, Int64, PrimitiveFeastType, String

from contracts.features import names

# No expiry: a user who was away for a month still has a history. Staleness is watched by monitoring instead.
FOREVER = timedelta(0)

# Feast's DuckDB store resolves relative paths against the reader's working directory, hence absolute paths.
DATA = Path(__file__).resolve().parent.parent / "data"

user = Entity(name="user", join_keys=[names.USER_ID], value_type=ValueType.STRING)
item = Entity(name="item", join_keys=[names.ITEM_ID], value_type=ValueType.STRING)


def _view(
    name: str, entity: Entity, schema: dict[str, PrimitiveFeastType | Array], online: bool, path: Path | None = None
) -> FeatureView:
    key = entity.join_key
    return FeatureView(
        name=name,
        entities=[entity],
        ttl=FOREVER,
        schema=[Field(name=key, dtype=String), *(Field(name=column, dtype=kind) for column, kind in schema.items())],
        source=FileSource(
            name=f"{name}_source",
            path=str(path or DATA / "features" / f"{name}.parquet"),
            timestamp_field=names.EVENT_TIMESTAMP,
        ),
        online=online,
    )


user_profile = _view(names.USER_PROFILE_VIEW, user, dict.fromkeys(names.USER_PROFILE, String), online=True)
# One array, not a feature a number: an online read costs by the number of features.
user_statistics = _view(names.USER_STATISTICS_VIEW, user, {names.USER_STATISTICS_VALUES: Array(Float32)}, online=True)
user_sequence = _view(
    names.USER_SEQUENCE_VIEW,
    user,
    {column: Array(Int64) if column == names.SEQUENCE_TIMESTAMPS else Array(String) for column in names.SEQUENCE},
    online=True,
)
user_history = _view(
    names.USER_HISTORY_VIEW,
    user,
    {column: Array(String) if column == names.HISTORY_ITEM_IDS else Array(Int64) for column in names.HISTORY},
    online=True,
)
# Written by `tandem events consume` and never materialized; nothing offline reads the file it names.
user_recent_events = _view(names.RECENT_EVENTS_VIEW, user, {names.RECENT_EVENTS: String}, online=True)
# Read by lists alone that leave out what was bought: most users have no such row.
user_bought_before = _view(names.USER_BOUGHT_VIEW, user, {names.BOUGHT_ITEM_IDS: Array(String)}, online=True)
# Item features are not read online: 500 items cost 29 ms of CPU in Feast and nothing as matrices of the bundle.
item_profile = _view(names.ITEM_PROFILE_VIEW, item, dict.fromkeys(names.ITEM_CONTENT, String), online=False)
item_statistics = _view(names.ITEM_STATISTICS_VIEW, item, dict.fromkeys(names.ITEM_STATISTICS, Float64), online=False)

# For models in batches. No answer reads them: a row for each user who did any of it would be written for nothing.
user_activity = _view(names.USER_ACTIVITY_VIEW, user, {names.USER_ACTIVITY_VALUES: Array(Float32)}, online=False)
item_activity = _view(names.ITEM_ACTIVITY_VIEW, item, {names.ITEM_ACTIVITY_VALUES: Array(Float32)}, online=False)
item_holidays = _view(names.ITEM_HOLIDAYS_VIEW, item, dict.fromkeys(names.ITEM_HOLIDAYS, Float64), online=False)

item_copurchase = _view(
    names.ITEM_COPURCHASE_VIEW,
    item,
    {names.COPURCHASE_ITEM_IDS: Array(String), names.COPURCHASE_COUNTS: Array(Int64)},
    online=True,
    path=DATA / "copurchase.parquet",
)

query_service = FeatureService(name=names.QUERY_SERVICE, features=[user_profile, user_statistics, user_sequence])
candidate_service = FeatureService(name=names.CANDIDATE_SERVICE, features=[item_profile, item_statistics])
serving_service = FeatureService(
    name=names.SERVING_SERVICE, features=[user_profile, user_statistics, user_sequence, user_history]
)
recent_service = FeatureService(name=names.RECENT_SERVICE, features=[user_recent_events])
online_service = FeatureService(
    name=names.ONLINE_SERVICE,
    features=[user_profile, user_statistics, user_sequence, user_history, user_recent_events],
)
user_activity_service = FeatureService(name=names.USER_ACTIVITY_SERVICE, features=[user_activity])
item_activity_service = FeatureService(name=names.ITEM_ACTIVITY_SERVICE, features=[item_activity])
item_holidays_service = FeatureService(name=names.ITEM_HOLIDAYS_SERVICE, features=[item_holidays])
bought_service = FeatureService(name=names.BOUGHT_SERVICE, features=[user_bought_before])
copurchase_service = FeatureService(name=names.COPURCHASE_SERVICE, features=[item_copurchase])

"""The items that each user has hidden as of a moment; lists for all users leave them out, as answers do."""

from collections import defaultdict
from collections.abc import Mapping

import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.events.interactions import FreshEvent
from contracts.features.feedback import FEEDBACK_TYPES, hidden_items
from training.workspace import Workspace, require

COLUMNS = ("user_id", "event_id", "event_type", "item_id", "event_timestamp")


def hidden_by_user(workspace: Workspace, seconds: int) -> Mapping[str, frozenset[str]]:
    """Item ids by user, of users who have hidden any. seconds: Unix; what was said later is not known yet."""
    path = require(workspace.ingested("events"), "tandem ingest")
    table = pq.read_table(path, columns=list(COLUMNS), filters=[("event_type", "in", sorted(FEEDBACK_TYPES))])
    table = table.set_column(4, "seconds", pc.cast(pc.floor(pc.divide(pc.cast(table[4], "int64"), 1e6)), "int64"))
    said: dict[str, list[FreshEvent]] = defaultdict(list)
    for user_id, event_id, event_type, item_id, at in zip(*(table[at].to_pylist() for at in range(5)), strict=True):
        if at < seconds:
            said[user_id].append(FreshEvent(event_id, event_type, item_id, at, None, 1, None, None))
    return {user_id: frozenset(hidden_items(events, seconds)) for user_id, events in said.items()}

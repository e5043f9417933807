"""Lists for all users leave out what each of them has hidden, as of their moment."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from training.batch.hidden import hidden_by_user
from training.workspace import Workspace

DAY = 86_400
MOMENT = 100 * DAY


def test_hidden_items_by_user_as_of_a_moment(tmp_path: Path) -> None:
    said = [
        ("1", "hide", "a", "milk", 10),
        ("2", "hide", "a", "salt", 10),
        ("3", "unhide", "a", "salt", 11),
        ("4", "not_interested", "b", "milk", 90),
        ("5", "not_interested", "b", "salt", 60),  # 28 days end on day 88
        ("6", "hide", "c", "milk", 100),  # at the moment, so after it
        ("7", "purchase", "d", "milk", 10),
    ]
    workspace = Workspace(tmp_path)
    path = workspace.ingested("events")
    path.parent.mkdir(parents=True)
    moments = pa.array([datetime.fromtimestamp(row[4] * DAY, UTC) for row in said], pa.timestamp("us", "UTC"))
    names = ("event_id", "event_type", "user_id", "item_id")
    columns = {name: [row[at] for row in said] for at, name in enumerate(names)}
    pq.write_table(pa.table({**columns, "event_timestamp": moments}), path)
    found = hidden_by_user(workspace, MOMENT)
    assert {user: items for user, items in found.items() if items} == {"a": {"milk"}, "b": {"milk"}}

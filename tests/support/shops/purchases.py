"""A shop of three users and five items in January 2024, small enough to work out each feature by hand."""

import json
from datetime import UTC, datetime
from typing import Any

import ibis
import pandas as pd
import pyarrow.parquet as pq

from contracts.events.schema import EVENT_COLUMNS, ITEM_COLUMNS, USER_COLUMNS
from training.engine import connect_duckdb
from training.features.build import build_features
from training.settings import FeatureSettings
from training.timeline import Timeline
from training.workspace import Workspace

SETTINGS = FeatureSettings(test_days=7, ranker_windows=1, snapshot_every_days=7, two_tower_weeks=2)
PLANTED = "planted"

# user, basket, item, day of January 2024 (UTC noon), quantity, price, discount
PURCHASES = [
    ("u1", "b1", "milk", 1, 1, 2.0, 0.0),
    ("u1", "b1", "bread", 1, 2, 3.0, 0.5),
    ("u1", "b2", "milk", 11, 1, 2.0, 0.0),
    ("u1", "b3", "milk", 21, 1, 4.0, 1.0),
    ("u2", "b4", "bread", 20, 1, 3.0, 0.0),
    ("u2", "b5", "salt", 30, 1, 1.0, 0.0),
]

CATALOGUE: list[dict[str, Any]] = [
    {"item_id": "bread", "department": "food", "subcategory": "bakery", "brand": "own"},
    {"item_id": "milk", "department": "food", "subcategory": "dairy", "brand": "farm"},
    {"item_id": "pepper", "department": "food"},
    {"item_id": PLANTED, "department": "garden", "subcategory": "dairy", "brand": "farm"},
    {"item_id": "salt", "department": "spices", "available_from": pd.Timestamp("2024-01-14", tz="UTC")},
]

ITEM_IDS = [item["item_id"] for item in CATALOGUE]
Purchase = tuple[str, str, str, int, int, float, float]
Look = tuple[str, str, str | None, int, int]  # without an item: what needs none

# user, type, item, day and hour of January 2024 (UTC)
LOOKS: list[Look] = [
    ("u1", "view", "salt", 10, 9),
    ("u1", "view", "salt", 22, 9),
    ("u1", "view", "milk", 22, 9),
    ("u1", "cart_add", "milk", 22, 10),
    ("u3", "view", "pepper", 23, 23),  # neither has ever bought or been bought
]


def seconds(day: int, hour: int = 0) -> int:
    return int(datetime(2024, 1, day, hour, tzinfo=UTC).timestamp())


def engagement_rows(engagements: list[Look]) -> list[dict[str, Any]]:
    return [
        {
            "event_id": f"{user}-{kind}-{item}-{day}-{hour}", "event_type": kind, "user_id": user, "item_id": item,
            "event_timestamp": datetime(2024, 1, day, hour, tzinfo=UTC), "basket_id": None,
            "quantity": 1, "price": None, "discount": None,
        }
        for user, kind, item, day, hour in engagements
    ]  # fmt: skip


def write_ingested(workspace: Workspace, purchases: list[Purchase], engagements: list[Look] | None = None) -> None:
    workspace.ingested("events").parent.mkdir(parents=True, exist_ok=True)
    events = pd.DataFrame(
        [
            {
                "event_id": f"{basket}-{item}", "event_type": "purchase", "user_id": user, "item_id": item,
                "event_timestamp": datetime(2024, 1, day, 12, tzinfo=UTC), "basket_id": basket,
                "quantity": quantity, "price": price, "discount": discount,
            }
            for user, basket, item, day, quantity, price, discount in purchases
        ]
        + engagement_rows(engagements or [])
    )  # fmt: skip
    users = pd.DataFrame([dict.fromkeys(USER_COLUMNS) | {"user_id": user} for user in ("u1", "u2", "u3")])
    items = pd.DataFrame([dict.fromkeys(ITEM_COLUMNS) | item for item in CATALOGUE])
    connection = connect_duckdb()
    for table, frame, columns in (
        ("events", events, EVENT_COLUMNS),
        ("users", users, USER_COLUMNS),
        ("items", items, ITEM_COLUMNS),
    ):
        typed = ibis.memtable(frame[list(columns)], schema=columns)
        connection.to_parquet(typed, workspace.ingested(table))
    workspace.ingest_report.write_text(json.dumps({"time_zone": "UTC"}))


def built(workspace: Workspace, purchases: list[Purchase], engagements: list[Look] | None = None) -> Timeline:
    write_ingested(workspace, purchases, engagements)
    return build_features(workspace, SETTINGS, connect_duckdb(), lambda _: None)


def row(workspace: Workspace, view: str, key: str, value: str, at: int) -> dict[str, Any]:
    rows: list[dict[str, Any]] = pq.read_table(workspace.feature_table(view)).to_pylist()
    (found,) = [r for r in rows if r[key] == value and int(r["event_timestamp"].timestamp()) == at]
    return found


# The cutoff is the 24th, the end of data the 31st.
ACTIVITY: list[Look] = [
    ("u1", "like", "salt", 2, 9),
    ("u1", "like", "salt", 22, 9),
    ("u1", "like", "milk", 22, 9),
    ("u1", "cart_remove", "milk", 23, 9),
    ("u1", "search", None, 23, 9),
    ("u1", "search", None, 25, 9),
    ("u2", "cart_clear", None, 20, 9),
    ("u2", "cart_view", None, 20, 9),
    ("u2", "visit", None, 24, 0),  # at the very moment of the cutoff
    ("u3", "category_view", "pepper", 10, 9),
]

MANY = [(f"user {i}", f"b{i}-{j}", item, 3 + j, 1, 1.5 * i, 0.0) for i in range(30) for j in range(3) for item in "xyz"]

"""One drawn shop through its adapter: every row is there, and each value that is kept is the one that was written."""

import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

import ibis
import pyarrow as pa

from contracts.errors import DataRejected
from tests.training.ingest.drawn.cells import Draw
from tests.training.ingest.drawn.shops import FIELDS, SHOPS
from training.ingest.adapters.by_name import adapter_named
from training.ingest.adapters.source import SourceOptions


@dataclass(frozen=True)
class Held:
    """A shop that was read right, or refused."""

    outcome: str
    tables: int  # files of the folder
    rows: int


def hold(draw: Draw, name: str, connection: ibis.BaseBackend) -> Held:
    """What became of the shop. Raises AssertionError where rows are lost or a value differs."""
    with tempfile.TemporaryDirectory() as folder:
        shop = SHOPS[name](draw, Path(folder))
        tables = sum(path.is_file() for path in Path(folder).rglob("*"))
        try:
            source = adapter_named(shop.adapter)(connection, SourceOptions(folder, shop.mapping))
            rows: pa.Table = source.events.to_pyarrow()
            listed = source.items.to_pyarrow().to_pylist() if shop.items else []
        except DataRejected:
            return Held("refused in words", tables, 0)
    items = Counter((row["item_id"], row["category"]) for row in listed)
    assert items == shop.items, f"only here: {items - shop.items}; lacking: {shop.items - items}"
    columns = FIELDS[shop.adapter]
    reasons = rows.column("reason").to_pylist() if "reason" in rows.column_names else [None] * rows.num_rows
    table = rows.select(columns).to_pylist()
    for row in table:
        if row.get("event_timestamp") is not None:
            row["event_timestamp"] = row["event_timestamp"].astimezone(UTC)
    kept = Counter(tuple(row[c] for c in columns) for row, reason in zip(table, reasons, strict=True) if reason is None)
    dropped = sum(reason is not None for reason in reasons)
    assert kept == shop.right, f"only here: {kept - shop.right}; lacking: {shop.right - kept}"
    assert dropped == shop.unreadable, f"{dropped} rows quarantined, {shop.unreadable} cannot be read"
    return Held("read", tables, rows.num_rows)

"""A shop made up here: its files, and how a test reads or ingests them and looks at what came out."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from training.engine import connect_duckdb
from training.ingest.adapters.by_name import adapter_named
from training.ingest.adapters.mapping import load_mapping
from training.ingest.adapters.source import Source, SourceOptions
from training.ingest.ingest import ingest
from training.ingest.report import IngestReport
from training.settings import IngestSettings
from training.workspace import Workspace

NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)


def run(
    root: Path, adapter: str, path: Path | str, mapping: dict[str, Any] | None = None, share: float = 1.0
) -> IngestReport:
    """The report of an ingest from path, with the mapping written as YAML."""
    file = mapping_file(root, mapping)
    settings = IngestSettings(adapter=adapter, path=str(path), mapping=file, max_dropped_share=share)
    return ingest(Workspace(root), settings, connect_duckdb())


def mapping_file(root: Path, mapping: dict[str, Any] | None) -> str:
    """Where the mapping was written; empty where there is none."""
    if mapping is None:
        return ""
    (root / "mapping.yaml").write_text(yaml.safe_dump(mapping))
    return str(root / "mapping.yaml")


def source_of(root: Path, adapter: str, path: Path | str, mapping: dict[str, Any] | None = None) -> Source:
    """The tables as the adapter reads them: enough for tests of files, at a third of what an ingest costs."""
    return adapter_named(adapter)(connect_duckdb(), SourceOptions(str(path), load_mapping(mapping_file(root, mapping))))


def read_rows(table: ibis.Table | pa.Table, *columns: str) -> list[Any]:
    """What `rows_of` gives, of the rows of a source's table that could be read.

    Of an Ibis table each call reads the files: a test that looks twice takes `to_pyarrow()` of it first.
    """
    rows = [row for row in _rows(table) if row.get("reason") is None]
    return sorted((tuple(row[name] for name in columns) for row in rows), key=str)


def unreadable(table: ibis.Table | pa.Table) -> dict[str, int]:
    """Rows of a source's table that could not be read, by reason."""
    return dict(Counter(row["reason"] for row in _rows(table) if row.get("reason") is not None))


def _rows(table: ibis.Table | pa.Table) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (table if isinstance(table, pa.Table) else table.to_pyarrow()).to_pylist()
    return found


def rows_of(root: Path, table: str, *columns: str) -> list[Any]:
    """Rows of an ingested table, as tuples of some columns in the order of the first."""
    rows = pq.read_table(Workspace(root).ingested(table)).to_pylist()
    return sorted((tuple(row[name] for name in columns) for row in rows), key=str)


def reasons(root: Path, table: str = "quarantine") -> list[Any]:
    return rows_of(root, table, "reason", "raw")


def write(folder: Path, **files: str | bytes) -> Path:
    """A folder with the files; `interactions_csv` is interactions.csv."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        stem, __, suffix = name.rpartition("_")
        (folder / f"{stem}.{suffix}").write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def parquet(path: Path, rows: list[dict[str, Any]], **types: pa.DataType) -> None:
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(list(types.items()))), path)


INTERACTIONS = """event_id,user_id,item_id,event_type,event_timestamp,session_id,quantity,price
e1,u1,tea,view,2024-01-02T12:00:00Z,s1,,
e2,u1,tea,cart,2024-01-02T14:05:00+02:00,s1,1,9.5
e3,u2,cup,purchase,2024-01-02T13:00:00.5Z,s2,2,3
"""


PRODUCTS = '''item_id,title,category,description,price
tea,"Tea, ""green""",drinks,"Two
lines",9.5
cup,Cup,,,3
'''


def shop(root: Path, interactions: str | bytes = INTERACTIONS, products: str | bytes = PRODUCTS) -> Path:
    return write(root / "shop", interactions_csv=interactions, products_csv=products)


EVENT = ("event_id", "event_type", "user_id", "item_id", "event_timestamp", "basket_id", "quantity", "price")


SHOP_EVENTS = [
    ("e1", "view", "u1", "tea", NOON, "s1", 1, None),
    ("e2", "cart_add", "u1", "tea", NOON + timedelta(minutes=5), "s1", 1, 9.5),
    ("e3", "purchase", "u2", "cup", NOON + timedelta(hours=1, milliseconds=500), "s2", 2, 3.0),
]


def parquet_shop(folder: Path) -> Path:
    types = {"user_id": pa.int64(), "product_id": pa.float64(), "event_type": pa.string()}
    row = {"user_id": 1, "product_id": 7.0, "event_type": "view", "timestamp": NOON}
    for part, day in (("a", 0), ("b", 1)):
        moved = row | {"timestamp": NOON + timedelta(days=day)}
        parquet(folder / f"part-{part}.parquet", [moved], **types, timestamp=pa.timestamp("ns", "UTC"))
    (folder.parent / "raw").mkdir()
    folder.rename(folder.parent / "raw" / "interactions")
    parquet(folder.parent / "raw" / "products.parquet", [{"product_id": 7}], product_id=pa.int64())
    return folder.parent / "raw"

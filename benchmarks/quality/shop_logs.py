"""Two public logs in the form that `tandem ingest` reads, for sets that the whole pipeline trains on.

Online Retail comes as the shop exported it, so lines that are not purchases of a product are left out here. MovieLens
has likes alone, and each is taken for a purchase.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.quality.pipeline_sets import window
from benchmarks.quality.splits import DataSet
from benchmarks.quality.workspaces import train
from contracts.errors import MissingArtifact

ZONES: Final = {"online_retail": "Europe/London", "movielens": "America/Chicago"}


def shop_log(name: str, public: Path, folder: Path) -> DataSet:
    """The last 28 days of one of ZONES, by a pipeline with its defaults. Raises MissingArtifact without the log."""
    root = folder / name
    write_raw(name, public, root / "raw")
    mapping = root / "mapping.yaml"
    mapping.write_text(f"time_zone: {ZONES[name]}\n")
    train(root, f"ingest: {{adapter: ecommerce, path: {root / 'raw'}, mapping: {mapping}}}\n")
    title = f"{name.replace('_', ' ')}, last 28 days"
    return DataSet(title, ("recall@20", "ndcg@20"), partial(window, root, 1), partial(window, root, 0), {})


def write_raw(name: str, public: Path, folder: Path) -> None:
    """Writes interactions, products and users of one of ZONES as the adapter `ecommerce` reads them.

    public: folder of the public files. Raises MissingArtifact where the log is not there.
    """
    source = public / name
    if not source.is_dir():
        raise MissingArtifact(f"There is no {name} below {public}: name the folder of the public logs.")
    folder.mkdir(parents=True, exist_ok=True)
    for table, rows in READERS[name](source).items():
        pq.write_table(rows, folder / f"{table}.parquet")


def _online_retail(source: Path) -> dict[str, pa.Table]:
    """Without cancellations, lines of nobody, and carriage and adjustments, whose codes have no digits."""
    lines = pq.read_table(source / "invoices.parquet")
    bought = pc.and_(pc.invert(pc.starts_with(lines["Invoice"], "C")), pc.greater(lines["Quantity"], 0))
    product = pc.match_substring_regex(lines["StockCode"], r"^\d{5}")
    lines = lines.filter(pc.and_(pc.and_(bought, product), pc.is_valid(lines["Customer ID"])))
    users = pc.cast(pc.cast(lines["Customer ID"], pa.int64()), pa.string())
    interactions = pa.table(
        {
            "user_id": users,
            "item_id": lines["StockCode"],
            "event_timestamp": lines["InvoiceDate"],
            "event_type": pa.array(["purchase"] * lines.num_rows),
            "basket_id": lines["Invoice"],
            "quantity": lines["Quantity"],
            "price": lines["Price"],
        }
    )
    named = lines.select(["StockCode", "Description"]).group_by("StockCode").aggregate([("Description", "max")])
    profiles = (
        pa.table({"user_id": users, "region": lines["Country"]}).group_by("user_id").aggregate([("region", "max")])
    )
    return {
        "interactions": interactions,
        "products": pa.table(
            {"item_id": named["StockCode"], "title": pc.utf8_trim_whitespace(named["Description_max"])}
        ),
        "users": pa.table({"user_id": profiles["user_id"], "region": profiles["region_max"]}),
    }


def _movielens(source: Path) -> dict[str, pa.Table]:
    """A film's first genre is its category."""
    likes, films, users = (pq.read_table(source / f"{table}.parquet") for table in ("likes", "products", "users"))
    return {
        "interactions": pa.table(
            {
                "user_id": pc.cast(likes["user_id"], pa.string()),
                "item_id": pc.cast(likes["movie_id"], pa.string()),
                "event_timestamp": pc.cast(likes["timestamp"], pa.timestamp("s", "UTC")),
                "event_type": pa.array(["purchase"] * likes.num_rows),
            }
        ),
        "products": pa.table(
            {
                "item_id": films["movie_id"],
                "title": films["title"],
                "category": pc.list_element(pc.split_pattern(films["genres"], "|"), 0),
            }
        ),
        "users": pa.table({"user_id": users["user_id"], "gender": users["gender"], "age_band": users["age"]}),
    }


READERS: Final[dict[str, Callable[[Path], dict[str, pa.Table]]]] = {
    "online_retail": _online_retail,
    "movielens": _movielens,
}

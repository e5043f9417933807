"""The point-in-time join by hand: one view of prices, rows asked before, at and after their moments."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, String

from contracts.errors import InvalidInput
from training.feature_store.asof_store import AsofOfflineStore, AsofOfflineStoreConfig
from training.settings import DuckDBSettings

MOMENT = "event_timestamp"
ITEM = Entity(name="item", join_keys=["item_id"], value_type=ValueType.STRING)


def day(number: int, hour: int = 0) -> datetime:
    return datetime(2024, 1, number, hour, tzinfo=UTC)


def view(folder: Path, name: str, feature: str, rows: list[tuple[str, datetime, float]]) -> FeatureView:
    frame = pd.DataFrame(rows, columns=["item_id", MOMENT, feature])
    frame[MOMENT] = frame[MOMENT].astype("datetime64[us, UTC]")  # as the pipeline writes it
    frame["unused"] = 1.0
    path = folder / f"{name}.parquet"
    frame.to_parquet(path)
    schema = [Field(name="item_id", dtype=String), *(Field(name=n, dtype=Float64) for n in (feature, "unused"))]
    source = FileSource(name=name, path=str(path), timestamp_field=MOMENT)
    return FeatureView(name=name, entities=[ITEM], ttl=timedelta(0), schema=schema, source=source)


PRICES = [("tea", day(10), 1.0), ("tea", day(20), 2.0), ("salt", day(15), 9.0)]


@pytest.fixture
def prices(tmp_path: Path) -> FeatureView:
    return view(tmp_path, "prices", "price", PRICES)


CONFIG: Any = SimpleNamespace(offline_store=AsofOfflineStoreConfig(), repo_path=Path("repository"))


def test_each_row_has_the_latest_value_at_its_moment_of_every_view(prices: FeatureView, tmp_path: Path) -> None:
    stock = view(tmp_path, "stock", "pieces", [("tea", day(12), 5.0)])
    teas = [("tea", day(number)) for number in (9, 10, 19, 20)]
    asked = [*teas, ("salt", day(14)), ("salt", day(31)), ("nothing", day(31)), ("tea", day(19))]
    frame = pd.DataFrame(asked, columns=["item_id", MOMENT])
    references = ["prices:price", "stock:pieces"]
    job = AsofOfflineStore.get_historical_features(CONFIG, [prices, stock], references, frame)
    assert (job.full_feature_names, job.on_demand_feature_views) == (False, [])  # names of features are views' own
    found = job.to_arrow()
    assert found.column_names == ["item_id", MOMENT, "price", "pieces"]
    rows = [(row["item_id"], row[MOMENT], row["price"], row["pieces"]) for row in found.to_pylist()]
    values = [(None, None), (1, None), (1, 5), (2, 5), (None, None), (9, None), (None, None), (1, 5)]
    expected = [(*pair, *value) for pair, value in zip(asked, values, strict=True)]
    assert sorted(rows, key=str) == sorted(expected, key=str)


def test_the_latest_row_of_each_entity_lies_between_the_dates_both_included(prices: FeatureView) -> None:
    def latest(start: datetime, end: datetime) -> list[tuple[Any, ...]]:
        job = AsofOfflineStore.pull_latest_from_table_or_query(
            CONFIG, prices.batch_source, ["item_id"], ["price"], MOMENT, None, start, end
        )
        table = job.to_arrow()
        assert table.column_names == ["item_id", "price", MOMENT]
        return sorted(tuple(row.values()) for row in table.to_pylist())

    assert latest(day(10), day(20)) == [("salt", 9.0, day(15)), ("tea", 2.0, day(20))]
    assert latest(day(10), day(19)) == [("salt", 9.0, day(15)), ("tea", 1.0, day(10))]
    assert latest(day(10, 1), day(19)) == [("salt", 9.0, day(15))]
    # A date of another zone is the moment that it is: 1:00 in Berlin is midnight here.
    berlin = datetime(2024, 1, 20, 1, tzinfo=ZoneInfo("Europe/Berlin"))
    assert latest(berlin, berlin) == [("tea", 2.0, day(20))]


def test_the_limits_of_the_configuration_are_the_engines(prices: FeatureView, tmp_path: Path) -> None:
    limits = DuckDBSettings(spill_folder=str(tmp_path / "gone"))
    config: Any = SimpleNamespace(offline_store=AsofOfflineStoreConfig(limits=limits), repo_path=tmp_path)
    frame = pd.DataFrame({"item_id": ["tea"], MOMENT: [day(19)]})
    with pytest.raises(InvalidInput, match=r"duckdb\.spill_folder"):
        AsofOfflineStore.get_historical_features(config, [prices], ["prices:price"], frame)
    with pytest.raises(InvalidInput, match=r"duckdb\.spill_folder"):
        AsofOfflineStore.pull_latest_from_table_or_query(
            config, prices.batch_source, ["item_id"], ["price"], MOMENT, None, day(1), day(31)
        )


def test_every_view_that_the_join_cannot_answer_is_named() -> None:
    def odd(name: str, ttl: int = 0, keys: tuple[str, ...] = ("item_id",), **source: Any) -> FeatureView:
        entities = [Entity(name=key, join_keys=[key], value_type=ValueType.STRING) for key in keys]
        file = FileSource(name=name, path="x.parquet", timestamp_field=MOMENT, **source)
        schema = [Field(name=key, dtype=String) for key in keys]
        return FeatureView(name=name, entities=entities, ttl=timedelta(days=ttl), schema=schema, source=file)

    views = [
        odd("plain"), odd("old", ttl=3), odd("pairs", keys=("item_id", "user_id")),
        odd("late", created_timestamp_column="created"), odd("mapped", field_mapping={"a": "b"}),
    ]  # fmt: skip
    frame = pd.DataFrame({"item_id": ["tea"], MOMENT: [day(1)]})
    with pytest.raises(InvalidInput) as refused:
        AsofOfflineStore.get_historical_features(CONFIG, views, [], frame)
    said = str(refused.value)
    assert said.startswith(
        "The point-in-time join on DuckDB cannot answer as feature_definitions.py asks: old has a ttl of 3 days, "
        "0:00:00; pairs has the join keys "
    )
    assert "; late has a created_timestamp_column; mapped has a field_mapping. It needs ttl=timedelta(0)" in said
    assert "item_id, user_id" in said or "user_id, item_id" in said

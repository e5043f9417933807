"""The data report of a made-up shop, each fact counted by hand."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from contracts.errors import DataRejected, MissingArtifact
from contracts.events.schema import EVENT_COLUMNS, ITEM_COLUMNS, USER_COLUMNS
from tandem.__main__ import app
from tests.support.each import each
from training.data_report.activity import measure_activity, season_section
from training.data_report.baskets import measure_baskets, value_section
from training.data_report.clusters import cluster
from training.data_report.cold_start import measure_cold_start
from training.data_report.data import data_report
from training.data_report.event_log import EventLog, read_event_log
from training.data_report.funnel import funnel_section, measure_funnel
from training.data_report.long_tail import LongTail, measure_long_tail
from training.data_report.quality import _named
from training.data_report.repeats import measure_repeats
from training.data_report.rfm import Buyers, fifths, measure_buyers, segment_names
from training.data_report.sessions import measure_sessions
from training.data_report.words import counted, money, number, percent
from training.engine import connect_duckdb
from training.ingest.report import IngestReport
from training.local_time import zone_offsets
from training.workspace import Workspace

SECTIONS = (
    "Volumes over time",
    "Weekday and hour",
    "Sessions and baskets",
    "Basket value",
    "Funnel",
    "Repeat rate",
    "Reorder gaps",
    "Long tail",
    "Customer segments",
    "Customer clusters",
    "Cold start",
    "Data quality",
)
ARROW = {"string": pa.string(), "int64": pa.int64(), "float64": pa.float64()}
# type, user, item, moment in UTC, basket, price; the shop is in Paris, an hour ahead in winter, two in summer.
EVENTS = [
    ("view", "ann", "tea", "2024-01-01 09:00", None, None),
    ("cart_add", "ann", "tea", "2024-01-01 09:10", None, None),
    ("purchase", "ann", "tea", "2024-01-01 09:20", "b1", 4.0),
    ("purchase", "ann", "jam", "2024-01-01 09:20", "b1", 2.0),  # never viewed
    ("purchase", "ann", "tea", "2024-01-08 09:00", "b2", 4.0),  # 7 days later
    ("purchase", "ann", "tea", "2024-01-11 23:30", "b3", 4.0),  # in Paris 12 January: 4 days later
    ("view", "bob", "tea", "2024-02-01 09:00", None, None),
    ("view", "bob", "cup", "2024-02-01 10:00", None, None),  # an hour later: another session
    ("cart_add", "bob", "cup", "2024-02-01 10:01", None, None),
    ("purchase", "bob", "cup", "2024-02-02 10:00", "b4", 10.0),
    ("search", "bob", None, "2024-04-01 10:00", None, None),
]
ITEMS = ("tea", "jam", "cup", "hat")


def ingested(root: Path, events: list[tuple[Any, ...]], zone: str = "Europe/Paris") -> Workspace:
    """A workspace as ingest leaves it."""
    workspace = Workspace(root)
    workspace.ingest_report.parent.mkdir(parents=True)
    names = ("event_type", "user_id", "item_id", "event_timestamp", "basket_id", "price")
    rows = [
        dict(zip(names, event, strict=True))
        | {"event_id": f"e{position}", "quantity": 1, "discount": 0.0}
        | {"event_timestamp": datetime.fromisoformat(event[3]).replace(tzinfo=UTC)}
        for position, event in enumerate(events)
    ]
    users = [{"user_id": user, "region": "north"} for user in sorted({event[1] for event in events})]
    tables = {"events": (rows, EVENT_COLUMNS), "users": (users, USER_COLUMNS)}
    tables["items"] = ([{"item_id": item, "title": "<b>" + item} for item in ITEMS], ITEM_COLUMNS)
    for name, (content, columns) in tables.items():
        schema = pa.schema([(column, ARROW.get(kind, pa.timestamp("us", "UTC"))) for column, kind in columns.items()])
        pq.write_table(pa.Table.from_pylist(content, schema), workspace.ingested(name))
    report = IngestReport("made-up <shop>", zone, ("Made up.",), len(rows) + 2, len(rows), {"missing_id": 2},
                          len(users), len(ITEMS), 0, 0, 1, "", "")  # fmt: skip
    workspace.ingest_report.write_text(json.dumps(asdict(report)))
    (root / "params.yaml").write_text("{}")
    return workspace


@pytest.fixture(scope="module")
def connection() -> ibis.BaseBackend:
    return connect_duckdb()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return ingested(tmp_path_factory.mktemp("shop"), EVENTS)


@pytest.fixture(scope="module")
def log(shop: Workspace, connection: ibis.BaseBackend) -> EventLog:
    return read_event_log(shop, connection)


@pytest.fixture
def bought_only(tmp_path: Path, connection: ibis.BaseBackend) -> EventLog:
    events = [("purchase", "ann", "tea", f"2024-01-0{day} 00:00", None, None) for day in (1, 2)]
    return read_event_log(ingested(tmp_path, events, "UTC"), connection)


def test_offsets_change_with_the_clocks() -> None:
    winter, summer = datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC)
    stretches = zone_offsets(int(winter.timestamp()), int(summer.timestamp()), "Europe/Paris")
    change = int(datetime(2024, 3, 31, 1, tzinfo=UTC).timestamp())
    assert stretches == [(int(winter.timestamp()), 3600), (change, 7200)]


def test_days_and_hours_are_the_shops(log: EventLog) -> None:
    activity = measure_activity(log)
    assert len(activity.daily) == 92  # 1 January to 1 April, days without events included
    assert list(activity.daily.iloc[0]) == [1, 2, 0, 1]  # cart_add, purchase, search, view
    assert activity.daily["purchase"].to_numpy()[10:12].tolist() == [0, 1]
    # Purchases: Monday 10 o'clock three times, Friday 0 o'clock and 11 o'clock.
    assert activity.hourly.to_numpy()[0, 10] == 3
    assert activity.hourly.to_numpy()[4, [0, 11]].tolist() == [1, 1]
    assert activity.hourly.to_numpy().sum() == 5


def test_baskets(log: EventLog) -> None:
    baskets = measure_baskets(log)
    assert baskets.sizes.to_dict() == {1: 3, 2: 1}
    assert baskets.values is not None
    assert baskets.values.mean == pytest.approx((6 + 4 + 4 + 10) / 4)
    assert baskets.values.median == pytest.approx(5)  # between 4 and 6
    assert baskets.values.top_tenth_share == pytest.approx(10 / 24)
    assert baskets.values.bars.sum() == 4


def test_sessions_end_after_half_an_hour(log: EventLog) -> None:
    sessions = measure_sessions(log)
    assert sessions is not None
    # ann: 4, 1, 1; bob: 1, 2, 1, 1
    assert sessions.sizes.to_dict() == {1: 5, 2: 1, 4: 1}
    assert sessions.with_purchase == 4


def test_funnel_counts_pairs_in_order(log: EventLog) -> None:
    funnel = measure_funnel(log)
    assert funnel is not None
    # Viewed: ann tea, bob tea, bob cup. In the cart: ann tea, bob cup; both were bought. ann's jam was never viewed.
    assert funnel.pairs == (3, 2, 2)
    assert (funnel.bought, funnel.bought_unseen) == (3, 1)
    takeaway = funnel_section(funnel, log).charts[0].takeaway
    assert "Of 3 times" in takeaway
    assert "67 % went the whole way" in takeaway


def test_repeats_and_gaps(log: EventLog) -> None:
    repeats = measure_repeats(log)
    assert repeats.rate == 0.5  # ann has three baskets, bob one
    assert repeats.gaps.to_dict() == {4: 1, 7: 1}  # 23:30 UTC is the next day in Paris, so 4 and not 3
    assert repeats.line_share == pytest.approx(2 / 5)


def test_long_tail(log: EventLog) -> None:
    tail = measure_long_tail(log)
    # Purchases: tea 3, jam 1, cup 1, hat 0. Events: tea 6, cup 3, jam 1, hat 0.
    assert tail.interest.to_dict() == {0: 1, 1: 2, 3: 1}
    assert tail.few_events_share == 0.75
    # Half of five is 2.5 of tea's 3: 2.5 / 3 of one item in four.
    assert tail.items_for(0.5) == pytest.approx(2.5 / 3 / 4)
    # Over items sorted up: sum((2i - n - 1) x_i) / (n sum x) = (-3*0 - 1*1 + 1*1 + 3*3) / (4 * 5)
    assert tail.gini == pytest.approx(9 / 20)


def test_all_items_alike_have_no_gini() -> None:
    alike = pd.Series({7: 10})
    assert LongTail(alike, alike, "purchases").gini == pytest.approx(0)


def test_cold_start(log: EventLog) -> None:
    cold = measure_cold_start(log)
    # January, February, March, April; an event without an item has no new item.
    assert cold.months["events"].tolist() == [6, 4, 0, 1]
    assert cold.months["new_users"].tolist() == [1, 1, 0, 0]
    assert cold.months["new_items"].tolist() == [2, 1, 0, 0]
    assert cold.share("user") == pytest.approx(4 / 5)  # all of bob's February
    assert cold.share("item") == pytest.approx(3 / 5)  # cup


def test_fifths_are_even_and_ties_share_one() -> None:
    assert fifths(pd.Series([10, 20, 30, 40, 50])).tolist() == [1, 2, 3, 4, 5]
    assert fifths(pd.Series([1, 1, 1, 1])).nunique() == 1


def test_segments_are_named() -> None:
    table = pd.DataFrame(
        {
            "recency_days": [1, 2, 30, 90, 120],
            "frequency": [50, 3, 10, 40, 1],
            "money": [500.0, 20.0, 100.0, 400.0, 5.0],
        }
    )
    assert segment_names(table).tolist() == ["Champions", "Light", "Steady", "At risk", "Lapsed"]
    # fifths r f m:                          5 5 5        4 2 2        3 3 3     2 4 4      1 1 1


def test_columns_that_are_full_or_empty_are_named() -> None:
    known = pd.Series({"user: region": 0.0, "item: title": 1.0, "item: brand": 0.5, "user: gender": 0.0})
    assert _named(known) == [
        ("columns known of every row", "item: title"),
        ("columns known of no row", "user: region, user: gender"),
    ]
    assert _named(known[["item: brand"]]) == []


def test_buyers(log: EventLog) -> None:
    table = measure_buyers(log).table
    # Ann's last purchase was on 12 January and bob's on 2 February; the log ends on 1 April.
    assert table["recency_days"].tolist() == [80, 59]
    assert table["frequency"].tolist() == [3, 1]
    assert table["money"].tolist() == [14.0, 10.0]


def test_clusters_find_three_obvious_groups() -> None:
    random = np.random.default_rng(0)
    centres = np.repeat([[1, 300, 9000], [20, 30, 600], [300, 2, 10]], 20, axis=0)
    columns = ["recency_days", "frequency", "money"]
    table = pd.DataFrame(centres * random.uniform(0.9, 1.1, centres.shape), columns=columns)
    clusters = cluster(Buyers(table, has_prices=True))
    assert clusters is not None
    assert [set(clusters.labels[start : start + 20]) for start in (0, 20, 40)] == [
        {"A · frequent, high spend, recent"},
        {"B · typical"},
        {"C · rare, low spend, away longer"},
    ]


def test_purchases_only_say_so(bought_only: EventLog) -> None:
    assert measure_sessions(bought_only) is None
    assert "purchases only" in funnel_section(measure_funnel(bought_only), bought_only).note
    assert "no prices" in value_section(measure_baskets(bought_only)).note
    assert "not hours" in season_section(measure_activity(bought_only), "UTC").note
    assert measure_baskets(bought_only).count == 2  # without basket ids, a moment is a basket
    assert measure_buyers(bought_only).table["money"].tolist() == [2.0]  # lines in place of money


def test_the_page_has_every_section_and_no_markup_of_the_data(shop: Workspace, connection: ibis.BaseBackend) -> None:
    page = data_report(shop, connection)
    html = page.read_text()
    assert page == shop.data / "reports" / "data.html"
    for title in SECTIONS:
        assert f"<h2>{title}</h2>" in html
    assert "made-up &lt;shop&gt;" in html
    assert "<shop>" not in html
    assert html.count("Plotly.newPlot(") >= 10
    assert "<script src=" not in html
    assert data_report(shop, connection).read_text() == html


@pytest.mark.parametrize("kind", ["view", "purchase"])
def test_sources_with_one_kind_of_event_have_a_page_too(
    tmp_path: Path, connection: ibis.BaseBackend, kind: str
) -> None:
    html = data_report(ingested(tmp_path, [(kind, "ann", "tea", "2024-01-01 09:00", None, None)]), connection)
    assert all(f"<h2>{title}</h2>" in html.read_text() for title in each(SECTIONS))


def test_without_ingest_the_command_is_named(tmp_path: Path, connection: ibis.BaseBackend) -> None:
    with pytest.raises(MissingArtifact, match="tandem ingest"):
        data_report(Workspace(tmp_path), connection)


def test_a_report_of_another_version_asks_to_ingest_again(tmp_path: Path, connection: ibis.BaseBackend) -> None:
    workspace = ingested(tmp_path, EVENTS)
    workspace.ingest_report.write_text('{"time_zone": "UTC"}')
    with pytest.raises(MissingArtifact, match="tandem ingest"):
        data_report(workspace, connection)


def test_a_log_without_events_is_refused(tmp_path: Path, connection: ibis.BaseBackend) -> None:
    with pytest.raises(DataRejected, match="no events"):
        data_report(ingested(tmp_path, []), connection)


def test_numbers_in_words() -> None:
    assert [percent(share) for share in (0, 0.00001, 0.0031, 0.0312, 0.412, 0.9939, 0.99999, 1, 2.1)] == [
        "0 %", "under 0.01 %", "0.31 %", "3.1 %", "41 %", "99.4 %", "over 99.9 %", "100 %", "210 %",
    ]  # fmt: skip
    assert (number(1460406), number(13.94), number(7.0)) == ("1,460,406", "13.9", "7")
    assert (money(13.9), money(6210.4)) == ("13.90", "6,210")
    assert (counted(1, "day"), counted(7, "day")) == ("1 day", "7 days")


def test_the_command_says_where_the_page_is(shop: Workspace) -> None:
    result = CliRunner().invoke(app, ["report", "data", "--root", str(shop.root)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "data.html" in result.output

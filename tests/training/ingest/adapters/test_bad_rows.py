"""Every kind of bad input, counted; files that cannot be read at all, named."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from contracts.errors import DataRejected, InvalidInput, MissingArtifact, TandemError
from tests.support.shops.shop_files import (
    INTERACTIONS,
    NOON,
    PRODUCTS,
    parquet,
    parquet_shop,
    reasons,
    rows_of,
    run,
    shop,
    write,
)
from training.workspace import Workspace

GOOD = "e1,u1,tea,view,2024-01-02T12:00:00Z,s1,,\n"


HEADER = INTERACTIONS.splitlines(keepends=True)[0]


BAD = [
    ("malformed_row", b"e2,u1,tea\n"),
    ("malformed_row", b"e3,u1,tea,view,2024-01-02T12:00:00Z,s1,,,extra\n"),
    ("malformed_row", b'e4,"u1,tea,view,2024-01-02T12:00:00Z,s1,,\n'),
    ("wrong_type", b"e5,u1,tea,view,yesterday,s1,,\n"),
    ("wrong_type", b"e6,u1,tea,view,2024-01-02T12:00:00Z,s1,two,\n"),
    ("wrong_type", b"e7,u1,tea,view,2024-01-02T12:00:00Z,s1,1.5,\n"),
    ("wrong_type", b"e8,u1,tea,view,2024-01-02T12:00:00Z,s1,1,nan\n"),
    ("duplicate_event_id", b"e1,u1,tea,view,2024-01-02T12:00:01Z,s1,,\n"),
    ("quantity_not_positive", b"e9,u1,tea,purchase,2024-01-02T12:00:00Z,s1,-2,\n"),
    ("unknown_event_type", b"e10,u1,tea,teleport,2024-01-02T12:00:00Z,s1,,\n"),
    ("item_not_in_catalogue", b"e11,u1,unicorn,view,2024-01-02T12:00:00Z,s1,,\n"),
    ("missing_id", b"e12,u1,,view,2024-01-02T12:00:00Z,s1,,\n"),
    ("not_utf8", b"e13,u\xff,tea,view,2024-01-02T12:00:00Z,s1,,\n"),
    ("timestamp_in_future", b"e14,u1,tea,view,2999-01-02T12:00:00Z,s1,,\n"),
    ("timestamp_without_zone", b"e15,u1,tea,view,2024-01-02 12:00:00,s1,,\n"),
    ("timestamp_without_zone", b"e16,u1,tea,view,2024-01-02,s1,,\n"),
    ("missing_timestamp", b"e17,u1,tea,view,,s1,,\n"),
]


def test_the_share_of_bad_rows_decides(tmp_path: Path) -> None:
    folder = shop(
        tmp_path, HEADER.encode() + GOOD.encode() + BAD[0][1] + b"e99,u2,cup,view,2024-01-02T12:00:09Z,s1,,\n"
    )
    report = run(tmp_path, "ecommerce", folder, share=0.34)  # 1 of 3
    assert (report.events_in, report.events_kept, report.events_dropped) == (3, 2, {"malformed_row": 1})
    assert rows_of(tmp_path, "events", "event_id") == [("e1",), ("e99",)]
    with pytest.raises(DataRejected, match=r"1 of 3 events were dropped .*'malformed_row': 1"):
        run(tmp_path, "ecommerce", folder, share=0.33)


def test_a_refusal_names_the_faults_that_it_counts(tmp_path: Path) -> None:
    """The line of totals is left out by design, and is none of the two."""
    faulty = BAD[0][1] + BAD[10][1]
    folder = shop(tmp_path, HEADER.encode() + GOOD.encode() + faulty + b",,,Total,,,17,\n")
    with pytest.raises(DataRejected) as refused:
        run(tmp_path, "ecommerce", folder, share=0.05)
    assert "2 of 4 events were dropped ({'item_not_in_catalogue': 1, 'malformed_row': 1})" in str(refused.value)


def test_all_bad_rows_together_are_all_accounted_for(tmp_path: Path) -> None:
    folder = shop(tmp_path, HEADER.encode() + GOOD.encode() + b"".join(line for _, line in BAD))
    report = run(tmp_path, "ecommerce", folder)
    expected = [reason for reason, _ in BAD]
    assert (report.events_in, report.events_kept) == (18, 1)  # 17 bad
    assert rows_of(tmp_path, "events", "event_id", "event_timestamp") == [("e1", NOON)]
    assert report.events_dropped == {reason: expected.count(reason) for reason in sorted(set(expected))}
    raw = [text for reason, text in reasons(tmp_path) if reason in ("malformed_row", "not_utf8")]
    assert raw == [
        "e2,u1,tea",
        "e3,u1,tea,view,2024-01-02T12:00:00Z,s1,,,extra",
        'e4,"u1,tea,view,2024-01-02T12:00:00Z,s1,,',
        "e13,u\\xff,tea,view,2024-01-02T12:00:00Z,s1,,",
    ]
    (two,) = [text for reason, text in reasons(tmp_path) if reason == "wrong_type" and "two" in text]
    assert "event_id=e6" in two


def test_times_without_zone_are_refused_with_the_fix(tmp_path: Path) -> None:
    folder = shop(tmp_path, HEADER + GOOD.replace("T12:00:00Z", " 12:00:00"))
    with pytest.raises(DataRejected, match=r"'timestamp_without_zone': 1.*`time_zone: Europe/Paris` in the mapping"):
        run(tmp_path, "ecommerce", folder)
    run(tmp_path, "ecommerce", folder, {"time_zone": "America/New_York"})
    assert rows_of(tmp_path, "events", "event_timestamp") == [(NOON + timedelta(hours=5),)]


def test_parquet_times_without_zone_are_treated_alike(tmp_path: Path) -> None:
    types = {"user_id": pa.string(), "item_id": pa.string(), "event_type": pa.string()}
    moment = datetime(2024, 7, 2, 12)
    row = {"user_id": "u", "item_id": "tea", "event_type": "view", "event_timestamp": moment}
    folder = write(tmp_path / "shop", products_csv=PRODUCTS)
    parquet(folder / "interactions.parquet", [row], **types, event_timestamp=pa.timestamp("us"))
    with pytest.raises(DataRejected, match="'timestamp_without_zone': 1"):
        run(tmp_path, "ecommerce", folder)
    run(tmp_path, "ecommerce", folder, {"time_zone": "Europe/Paris"})
    assert rows_of(tmp_path, "events", "event_timestamp") == [(datetime(2024, 7, 2, 10, tzinfo=UTC),)]


def test_an_unreadable_product_is_counted_and_too_many_are_refused(tmp_path: Path) -> None:
    folder = shop(tmp_path, products=PRODUCTS + "pot,Pot,,,dear\n")
    report = run(tmp_path, "ecommerce", folder, share=0.34)
    assert report.profiles_dropped == {"items": {"wrong_type": 1}}
    assert rows_of(tmp_path, "quarantine_items", "item_id", "reason") == [("pot", "wrong_type")]
    with pytest.raises(DataRejected, match=r"1 of 3 rows of items could not be read .*quarantine_items\.parquet"):
        run(tmp_path, "ecommerce", folder, share=0.33)
    run(tmp_path, "ecommerce", shop(tmp_path))
    assert not Workspace(tmp_path).ingested("quarantine_items").exists()  # of the run before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"interactions\.csv is empty"),
        (HEADER.encode(), "The source has no events"),
        (b"user_id,user_id\n1,2\n", r"interactions\.csv names a column twice"),
        (b"us\xffer_id\n1\n", r"The header of interactions\.csv is not UTF-8"),
        (b"user_id,event_type\n1,view\n", "interactions needs a column event_timestamp: .* has user_id, event_type"),
    ],
)
def test_a_file_that_cannot_be_read_at_all_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(TandemError, match=message):
        run(tmp_path, "ecommerce", shop(tmp_path, content))


def test_a_parquet_file_cut_short_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", products_csv=PRODUCTS)
    whole = parquet_shop(tmp_path / "parts") / "products.parquet"
    for content in (whole.read_bytes()[:-10], b""):
        (folder / "interactions.parquet").write_bytes(content)
        with pytest.raises(DataRejected, match=r"interactions\.parquet is not a whole Parquet file .*copy it again"):
            run(tmp_path, "ecommerce", folder)


def test_a_parquet_file_damaged_in_the_middle_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", products_csv=PRODUCTS)
    row = {"user_id": "u", "item_id": "tea", "event_type": "view", "event_timestamp": NOON}
    types = dict.fromkeys(("user_id", "item_id", "event_type"), pa.string())
    parquet(folder / "interactions.parquet", [row] * 1000, **types, event_timestamp=pa.timestamp("us", "UTC"))
    whole = (folder / "interactions.parquet").read_bytes()
    (folder / "interactions.parquet").write_bytes(whole[:4] + b"\xff" * 40 + whole[44:])
    with pytest.raises(DataRejected, match=r"interactions\.parquet is damaged .*: copy it again"):
        run(tmp_path, "ecommerce", folder)


def test_a_part_without_a_needed_column_is_refused_by_name(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", products_csv=PRODUCTS)
    write(folder / "interactions", a_csv=INTERACTIONS, b_csv="user_id\nu1\n")
    with pytest.raises(
        DataRejected,
        match=r"interactions needs the column 'event_type' in each part, and interactions/b\.csv has none\. "
        r"interactions/b\.csv has user_id\. Its first line must be names of columns",
    ):
        run(tmp_path, "ecommerce", folder)
    for part in (folder / "interactions").iterdir():
        part.unlink()
    with pytest.raises(MissingArtifact, match=r"no file interactions .*, and no folder interactions with such files"):
        run(tmp_path, "ecommerce", folder)


def test_two_files_of_one_table_are_refused(tmp_path: Path) -> None:
    folder = write(shop(tmp_path), interactions_tsv="user_id\n")
    with pytest.raises(InvalidInput, match=r"holds interactions\.csv and interactions\.tsv: keep one"):
        run(tmp_path, "ecommerce", folder)

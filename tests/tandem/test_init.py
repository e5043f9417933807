"""A workspace from nothing but the files of a shop, through its first ingest."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from contracts.errors import InvalidInput
from tandem.__main__ import app
from tandem.new_workspace import make
from training.ingest.guess.mapping import guessed_mapping
from training.ingest.guess.sample import sample
from training.params_file import load_settings

INVOICES = """InvoiceNo,Customer ID,StockCode,Description,InvoiceDate,Quantity,UnitPrice
1,u1,tea,Tea,12/31/2009 7:45,1,2.5
2,u2,cup,Cup,1/2/2010 8:00,2,3
"""


def test_a_workspace_is_made_and_its_first_ingest_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "invoices.csv").write_text(INVOICES)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["init", "shop", "--from", "raw"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "4 lines of mapping.yaml are marked" in result.output  # zone, moment, event type and repeated products
    made = {path.relative_to(tmp_path / "shop").as_posix() for path in (tmp_path / "shop").rglob("*") if path.is_file()}
    assert made == {"params.yaml", "dvc.yaml", ".gitignore", "mapping.yaml", "feature_repo/feature_definitions.py",
                    "feature_repo/feature_store.yaml"}  # fmt: skip
    mapping = yaml.safe_load((tmp_path / "shop" / "mapping.yaml").read_text())
    assert mapping["date_format"] == "%m/%d/%Y %H:%M"
    assert mapping["interactions"]["user_id"] == "Customer ID"
    assert mapping["products"] == {"file": "invoices.csv", "repeated": "most_frequent", "item_id": "StockCode",
                                   "title": "Description", "price": "UnitPrice"}  # fmt: skip
    assert load_settings(tmp_path / "shop" / "params.yaml").ingest.adapter == "ecommerce"
    done = CliRunner().invoke(app, ["ingest", "--root", "shop", "--dry-run"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert not (tmp_path / "shop" / "data").exists()


def test_what_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("{}\n")
    made = make(tmp_path, [])
    assert "params.yaml" in made.left
    assert (tmp_path / "params.yaml").read_text() == "{}\n"


def test_git_leaves_out_what_the_clone_leaves_out(tmp_path: Path) -> None:
    """The key of the erased people's list is a secret."""
    make(tmp_path, [])
    ignored = (tmp_path / ".gitignore").read_text().splitlines()
    assert {"/data/", "/bundles/", "/erasures/", "/audit/"} <= set(ignored)


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InvalidInput, match=r"holds no file of \.parquet"):
        make(tmp_path / "shop", [tmp_path])
    with pytest.raises(InvalidInput, match=r"notes\.txt is not a file of"):
        make(tmp_path / "shop", [tmp_path / "notes.txt"])
    with pytest.raises(InvalidInput, match=r"There is no file .*orders\.csv"):
        make(tmp_path / "shop", [tmp_path / "orders.csv"])


@pytest.mark.parametrize(
    ("moment", "line"),
    [
        ("1704448800000", "epoch_unit: ms"),
        ("2024-01-05T10:00:00Z", "time_zone: UTC  # ? the shop's zone"),
        ("2024-01-05 10:00", "time_zone: UTC  # ? the times carry none"),
        ("31.12.2009 07:45", 'date_format: "%d.%m.%Y %H:%M"'),
        ("1/2/2009 07:45", "# ? %d/%m/%Y %H:%M would fit as well"),
        ("yesterday", "# ? date_format: how is 'yesterday' written?"),
    ],
)
def test_how_times_are_written_is_guessed_or_asked(tmp_path: Path, moment: str, line: str) -> None:
    path = tmp_path / "clicks.csv"
    path.write_text(f"visitor,sku,action,at\nv,s,look,{moment}\n")
    text = guessed_mapping([sample(path)])
    assert line in text
    assert '"look": view  # ? which event is it?' in text


@pytest.mark.parametrize(
    ("column", "value", "found"),
    [
        ("ordered", "2025-01-09 20:23", True),
        ("ordered", "31.12.2009 07:45", True),
        ("ordered", "20091231", False),  # a number that may be an id
        ("weight", "1.5", False),
        ("ordered", "1-2", False),
    ],
)
def test_a_moment_is_known_by_its_values_where_its_name_says_nothing(
    tmp_path: Path, column: str, value: str, found: bool
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(f"customer,sku,{column}\nc,s,{value}\n")
    text = guessed_mapping([sample(path)])
    assert (f'event_timestamp: "{column}"  # ?' in text) == found
    assert ("event_timestamp: no column looks like it" in text) == (not found)


@pytest.mark.parametrize(
    ("prices", "found"),
    [
        (("2,50", "3"), True),
        (("1.234,50",), True),
        (("1,234",), False),  # a thousand
        (("2.50", "3,50"), False),
        (("1,2,3",), False),  # a list
    ],
)
def test_a_decimal_comma_is_known_by_numbers_that_can_be_nothing_else(
    tmp_path: Path, prices: tuple[str, ...], found: bool
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("Kunde;Preis\n" + "".join(f"c;{price}\n" for price in prices))
    text = guessed_mapping([sample(path)])
    assert ('  decimal: ","  # as in "Preis": ' in text) == found


@pytest.mark.parametrize(("units", "found"), [("-1", True), ("1", False)])
def test_negative_units_are_guessed_to_be_returns(tmp_path: Path, units: str, found: bool) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(f"customer,sku,at,units\nc,s,2024-01-02 10:00,{units}\n")
    assert ('returns: cancel  # ? "units" has negative numbers' in guessed_mapping([sample(path)])) == found


def test_columns_of_no_known_name_are_listed_with_the_keys_that_are_free(tmp_path: Path) -> None:
    path = tmp_path / "verkauf.csv"
    path.write_text("Vorgang;Person;Ware;Datum\n1;c;s;2024-01-02 10:00\n")
    text = guessed_mapping([sample(path)])
    assert '  # not used: "Person"  # c\n' in text
    path.write_text("order;customer;sku;at;name;till\n1;c;s;2024-01-02 10:00;Tea;7\n")
    used_by_products = guessed_mapping([sample(path)])
    assert '# not used: "till"' in used_by_products
    assert '# not used: "name"' not in used_by_products
    assert "  # a column may be named for each of these, too: basket_id, quantity, price\n" in text
    assert text.count("# ? item_id: no column looks like it") == 2  # of the events, and of the products


def guessed(path: Path, content: str | bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return guessed_mapping([sample(path)])


@pytest.mark.parametrize(
    ("moment", "date_format"),
    [
        ("20240131", "%Y%m%d"),
        ("06/28/2024 09:47 AM", "%m/%d/%Y %I:%M %p"),
        ("28-06-2024", "%d-%m-%Y"),
        ("Jun 28, 2024", "%b %d, %Y"),
    ],
)
def test_days_and_clocks_of_twelve_hours_are_known(tmp_path: Path, moment: str, date_format: str) -> None:
    text = guessed(tmp_path / "orders.csv", f'customer,sku,PostingDate\nc,s,"{moment}"\n')
    assert f'date_format: "{date_format}"\n' in text
    assert "time_zone: UTC  # ? the times carry none" in text


def test_a_month_of_another_language_is_taken_for_none_of_ours(tmp_path: Path) -> None:
    text = guessed(tmp_path / "orders.csv", "customer,sku,PostingDate\nc,s,5 marraskuu 2024\n")  # November
    assert "\n  date_format: " not in text and "\ndate_format: " not in text
    assert "# ? date_format: how is '5 marraskuu 2024' written?" in text and "months as numbers or in English" in text


def test_a_file_that_is_not_utf8_is_sampled_in_its_encoding(tmp_path: Path) -> None:
    lines = "Kunde;Ware\nJosé;Käse\nMüller;Öl\n"
    text = guessed(tmp_path / "a.csv", lines.encode("cp1252"))
    assert "  encoding: WINDOWS-1252  # ?" in text and '# not used: "Ware"  # Käse, Öl' in text
    assert "  encoding: UTF-16  # ?" in guessed(tmp_path / "b.csv", lines.encode("utf-16"))
    assert "  encoding: ISO-8859-1  # ?" in guessed(tmp_path / "c.csv", lines.encode("latin-1") + b"\x81;\xe4\n")
    one_bad = guessed(tmp_path / "d.csv", lines.encode() + b"K\xe4se;x\nMax;x\n")
    assert "\n  encoding: " not in one_bad
    assert "# ? 1 of the first 4 rows of d.csv are not_utf8. Save the file as UTF-8, or say" in one_bad


def test_objects_and_lists_of_an_order_are_opened(tmp_path: Path) -> None:
    order = {"order_id": 1, "buyer": {"id": "b", "country": "DE"}, "at": "2024-01-05T10:00:00Z",
             "lines": [{"sku": "s", "qty": 2, "price": {"amount": 1.5}}], "tags": ["x"]}  # fmt: skip
    for content in (json.dumps(order) + "\n", json.dumps([order, order], indent=1)):
        text = guessed(tmp_path / "orders.json", content)
        mapping = yaml.safe_load(text)["interactions"]
        assert mapping == {
            "file": "orders.json", "rows": "lines", "user_id": "buyer.id", "item_id": "lines.sku",
            "event_timestamp": "at", "event_type": {"value": "purchase"}, "basket_id": "order_id",
            "quantity": "lines.qty", "price": "lines.price.amount",
        }  # fmt: skip
        assert '  rows: "lines"  # ? is each entry of this list a row?' in text
        assert yaml.safe_load(text)["users"]["region"] == "buyer.country"


def test_parquet_with_structs_and_lists_is_opened(tmp_path: Path) -> None:
    rows = [{"user": {"id": "u"}, "lines": [{"sku": "s"}, {"sku": "t"}], "tags": ["x"]}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "orders.parquet")
    mapping = yaml.safe_load(guessed_mapping([sample(tmp_path / "orders.parquet")]))["interactions"]
    assert (mapping["user_id"], mapping["item_id"], mapping["rows"]) == ("user.id", "lines.sku", "lines")


def test_several_categories_in_a_cell_and_prices_with_a_unit_are_doubted(tmp_path: Path) -> None:
    text = guessed(tmp_path / "a.csv", "customer,sku,at,genres,unit_price\nc,s,2024-01-02 10:00,Crime|Sci-Fi,2.50/kg\n")
    assert '  category: {column: "genres", separator: "|"}  # ? several in one cell?' in text
    assert "# ? price: \"unit_price\" would be it, but '2.50/kg' is no number that can be read" in text
    assert "price" not in yaml.safe_load(text)["interactions"]


@pytest.mark.parametrize(
    ("prices", "line"),
    [
        (("EUR 12,50", "1.234,00 €"), 'decimal: ","'),
        (("$1,234", "$2.50"), 'decimal: "."'),
        (("$2.50", "$3"), 'price: "amount"'),
        (("$2.50", "3.00 €"), '# ? price: "amount" would be it, but it is in $ and EUR: convert it to one currency'),
        (("1,234", "2"), "# ? price: \"amount\" would be it, but '1,234' may be two numbers"),
    ],
)
def test_money_is_guessed_with_its_sign_of_decimals(tmp_path: Path, prices: tuple[str, ...], line: str) -> None:
    rows = "".join(f"c;s;2024-01-02 10:00;{price}\n" for price in prices)
    assert f"  {line}" in guessed(tmp_path / "a.csv", f"customer;sku;at;amount\n{rows}")


def test_a_country_is_no_count_and_an_event_no_title(tmp_path: Path) -> None:
    text = guessed(tmp_path / "a.csv", "user,sku,at,event_name,country\nu,s,2024-01-02 10:00,look,DE\n")
    mapping = yaml.safe_load(text)
    assert mapping["interactions"]["event_type"] == "event_name"
    assert not {"quantity", "title"} & {*mapping["interactions"], *mapping["products"]}


def test_a_booking_is_no_book_where_a_column_is_the_key_of_a_thing(tmp_path: Path) -> None:
    text = guessed(tmp_path / "a.csv", "Booking No,Guest,Hotel Code,Booked On\nB1,g,H1,25/04/2023\n")
    mapping = yaml.safe_load(text)["interactions"]
    assert (mapping["user_id"], mapping["item_id"], mapping["basket_id"]) == ("Guest", "Hotel Code", "Booking No")


def test_folders_are_tables_in_parts(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    for day in ("dt=2024-01-01", "dt=2024-01-02"):
        (raw / "sales" / day).mkdir(parents=True)
        (raw / "sales" / day / "part-0.CSV").write_text(f"user,sku,at\nu,s,{day[3:]} 10:00\n")
        (raw / "sales" / day / "_SUCCESS").touch()
    (raw / "items.csv").write_text("sku,name\ns,Salt\n")
    (raw / "notes.docx").write_text("x")
    (raw / ".git").mkdir()
    result = CliRunner().invoke(app, ["init", str(tmp_path / "shop"), "--from", str(raw)], catch_exceptions=False)
    assert "notes.docx was not looked at" in result.output and ".git was" not in result.output
    mapping = yaml.safe_load((tmp_path / "shop" / "mapping.yaml").read_text())
    assert (mapping["interactions"]["file"], mapping["products"]["file"]) == ("sales", "items.csv")
    done = CliRunner().invoke(app, ["ingest", "--root", str(tmp_path / "shop"), "--dry-run"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    alone = make(tmp_path / "other", [raw / "sales"])
    assert alone.passed_over == ()
    assert yaml.safe_load((tmp_path / "other" / "mapping.yaml").read_text())["interactions"]["file"] == "sales"


@pytest.mark.parametrize(
    ("day", "date_format"), [("05.01.2024", 'date_format: "%d.%m.%Y %H:%M"\n'), ("2024-01-05", ""), ("20240105", "")]
)
def test_days_and_clocks_in_two_columns_are_read_together(tmp_path: Path, day: str, date_format: str) -> None:
    text = guessed(tmp_path / "a.csv", f"user;sku;date;till\nu;s;{day};17:18\n")
    doubt = "# ? chosen by its name and values: is it when this was bought?"
    assert f'  event_timestamp: {{column: "date", time: "till"}}  {doubt}  # ' in text
    assert date_format in text
    assert '# not used: "till"' not in text
    apart = guessed(tmp_path / "b.csv", f"user;sku;date;till\nu;s;{day} 10:00;17:18\n")
    assert '  event_timestamp: "date"' in apart


def test_files_that_are_no_table_of_the_mapping_are_named(tmp_path: Path) -> None:
    for name in ("train", "valid"):
        (tmp_path / f"{name}.csv").write_text("user,item,tags\nu,i,x\n")
    pq.write_table(pa.table({"item_id": ["i"], "tags": [["a", "b"]]}), tmp_path / "goods.parquet")
    text = guessed_mapping([sample(tmp_path / name) for name in ("goods.parquet", "train.csv", "valid.csv")])
    mapping = yaml.safe_load(text)
    assert (mapping["interactions"]["file"], mapping["products"]["file"]) == ("train.csv", "goods.parquet")
    assert (
        '# ? valid.csv is not used: it has "user", "item", "tags". If it lists products or users, name it there as '
        in text
    )
    assert "# not used: \"tags\"  # ['a', 'b']" in text

"""Files of lists: written, read back, refused, scored by hand."""

import csv
import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from contracts.errors import InvalidInput
from tandem.__main__ import app
from tests.support.each import each
from training.batch.lists import read_lists, submission_recall, write_lists
from training.workspace import Workspace

LISTS = {"u1": ["milk", 'a "quoted", id'], "u2": []}
TRUTHS = {"u1": frozenset({"milk", "bread"}), "u2": frozenset({"salt"}), "u3": frozenset({"milk"})}


@pytest.mark.parametrize("name", ["lists.csv", "lists.parquet"])
def test_lists_are_read_as_they_were_written(tmp_path: Path, name: str) -> None:
    table = pa.table({"user_id": list(LISTS), "products": pa.array(list(LISTS.values()), pa.list_(pa.string()))})
    write_lists(table, tmp_path / "new" / name)
    assert read_lists(tmp_path / "new" / name) == LISTS


def test_a_sheet_of_lists_has_no_formula_wherever_it_is_split(tmp_path: Path) -> None:
    """Quotes hold where commas separate; with a semicolon the second column is not a quoted cell."""
    odd = {"a;=1+1": ["1;=2+2", "=3"], "-4": [";@5"]}
    products = pa.array(list(odd.values()), pa.list_(pa.string()))
    write_lists(pa.table({"user_id": list(odd), "products": products}), tmp_path / "lists.csv")
    assert not re.search('[;\n]"?[=+@-]', (tmp_path / "lists.csv").read_text())
    with (tmp_path / "lists.csv").open(newline="") as file:
        read = [json.loads(row["products"]) for row in csv.DictReader(file)]
    assert read == list(odd.values())  # for other readers, too
    assert read_lists(tmp_path / "lists.csv") == odd


def test_recall_is_a_mean_over_users_and_a_missing_user_counts_nothing() -> None:
    # u1: one of two, u2: none of one, u3 is missing: (1/2 + 0 + 0) / 3
    assert submission_recall({"u1": ["milk", "tea"], "u2": ["tea"]}, TRUTHS, limit=2) == pytest.approx(1 / 6)


def test_users_without_truth_change_nothing() -> None:
    lists = {"u1": ["milk", "bread"], "stranger": ["milk"]}
    assert submission_recall(lists, TRUTHS, limit=2) == pytest.approx(1 / 3)


def test_too_long_a_list_and_a_repeated_item_are_refused() -> None:
    with pytest.raises(InvalidInput, match="'u1' has 3 items, at most 2 are allowed"):
        submission_recall({"u1": ["a", "b", "c"]}, TRUTHS, limit=2)
    with pytest.raises(InvalidInput, match="'u1' has an item twice"):
        submission_recall({"u1": ["a", "a"]}, TRUTHS, limit=2)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("lists.txt", "", "must end in .csv or .parquet"),
        ("none.csv", None, "There is no file"),
        ("lists.csv", "user,products\n1,[]\n", "must have columns user_id and products"),
        ("lists.csv", "user_id,products\n1,milk\n", "must have columns user_id and products"),
        ("lists.csv", "user_id,products\n1,[]\n1,[]\n", "several rows for user '1'"),
        ("lists.csv", 'user_id,products\n1,"""milk"""\n', "'milk' is not an array of ids"),
        ("lists.csv", 'user_id,products\n1,"[[""milk""]]"\n', "is not an array of ids"),
        ("lists.csv", 'user_id,products\n1,"[null]"\n', "[None] is not an array of ids"),
        ("lists.parquet", "not Parquet", "must have columns user_id and products"),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, name: str, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InvalidInput) as refused:
        read_lists(tmp_path / name)
    assert said in str(refused.value)


def test_another_kind_of_output_is_refused_before_any_list_is_made(empty_workspace: Workspace) -> None:
    with pytest.raises(InvalidInput, match=r"lists\.json must end in \.csv or \.parquet"):
        CliRunner().invoke(
            app, ["batch", "--root", str(empty_workspace.root), "--output", "lists.json"], catch_exceptions=False
        )


def test_parquet_with_text_for_arrays_or_without_a_user_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"user_id": ["u1"], "products": ["milk, tea"]}), tmp_path / "text.parquet")
    with pytest.raises(InvalidInput, match="'milk, tea' is not an array of ids"):
        read_lists(tmp_path / "text.parquet")
    nobody = pa.table({"user_id": ["u1", None], "products": [["milk"], ["tea"]]})
    pq.write_table(nobody, tmp_path / "nobody.parquet")
    with pytest.raises(InvalidInput, match="row 2 has no user_id"):
        read_lists(tmp_path / "nobody.parquet")


@pytest.mark.tf
def test_batch_lists_every_user_and_can_be_scored(trained: Workspace, tmp_path: Path) -> None:
    options = ["--root", str(trained.root)]
    path = tmp_path / "lists.parquet"
    written = CliRunner().invoke(app, ["batch", *options, "--before-test", "--n", "25", "--output", str(path)])
    assert written.exit_code == 0, written.output
    assert pq.read_table(path).num_rows == 250  # the users of the slice
    assert all(len(set(items)) == 25 for items in each(read_lists(path).values()))
    scored = CliRunner().invoke(app, ["evaluate-submission", *options, str(path)])
    assert scored.exit_code == 0, scored.output
    assert 0.05 < float(scored.output.split()[1]) < 0.5

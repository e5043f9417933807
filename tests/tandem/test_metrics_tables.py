"""The table of lists and their figures, on a narrow screen."""

import io

import pytest
from rich.console import Console

from tandem import console


def test_no_figure_is_cut_off_where_the_screen_is_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(console, "console", Console(file=shown, width=80))
    row = dict.fromkeys(console.COLUMNS, 0.1234) | {"users": 1078.0}
    rows = {"a": row, "b": row | {"ndcg@20": 0.5678}}
    names = {"a": "bestsellers of the last 28 days, and then those of the year", "b": "Tandem's list"}
    console.metrics_tables({"test_days": 28, "all_items": rows, "new_to_user": rows}, names.__getitem__)
    said = shown.getvalue()
    assert (said.count("0.1234"), said.count("0.5678")) == (18, 2)
    assert "…" not in said
    assert all(header in said for header in console.COLUMNS.values())


def test_where_nobody_bought_anything_new_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(console, "console", Console(file=shown, width=120))
    row = dict.fromkeys(console.COLUMNS, 0.1234) | {"users": 1078.0}
    console.metrics_tables({"test_days": 28, "all_items": {"a": row}, "new_to_user": {}}, lambda name: name)
    assert "Items new to the user: no user has any in the last 28 days" in shown.getvalue()

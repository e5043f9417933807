"""Figures in the documents equal the figures in the result files."""

import json
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "figures"


@pytest.fixture
def figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module, at work in an empty repository."""
    loader = SourceFileLoader("figures", str(SCRIPT))
    spec = spec_from_loader("figures", loader)
    assert spec
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # or scripts/ would have a folder of it
    module = module_from_spec(spec)
    loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "RESULTS", tmp_path / "docs" / "results")
    return module


def measured(folder: Path, figures: object) -> Path:
    path = folder / "measured.json"
    path.write_text(json.dumps(figures))
    return path


def test_the_documents_have_the_measured_figures() -> None:
    done = subprocess.run([SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "value", "written"),
    [
        (".366", 0.36649, ".366"),
        ("0.37", 0.36649, "0.37"),
        ("-.02", -0.0151, "-.02"),
        ("+1.5", 2.0, "+2.0"),
        ("1,469,307", 1234567.0, "1,234,567"),
        ("7", 12345.0, "12,345"),
        ("3.1 %", 0.0449, "4.5 %"),
        ("50%", 0.123, "12%"),
    ],
)
def test_a_figure_keeps_its_form(figures: ModuleType, text: str, value: float, written: str) -> None:
    assert figures.in_the_form_of(text, value) == written


def test_a_difference_is_named_and_written(
    figures: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures.record("shop", str(measured(tmp_path, {"list": {"ndcg@20": 0.25}})), "a log", "a command", None, "us")
    page = tmp_path / "README.md"
    page.write_text("We reach **.24**<!-- shop list.ndcg@20 -->.\n")
    assert figures.documents(write=False) == 1
    assert "README.md:1: .24 stands there, .25 was measured (shop list.ndcg@20)" in capsys.readouterr().out
    assert figures.documents(write=True) == 0
    assert page.read_text() == "We reach **.25**<!-- shop list.ndcg@20 -->.\n"
    assert figures.documents(write=False) == 0


def test_a_figure_in_an_attribute_is_held_as_well(figures: ModuleType, tmp_path: Path) -> None:
    figures.record("shop", str(measured(tmp_path, {"ndcg": 0.25})), "a log", "a command", None, "us")
    page = tmp_path / "README.md"
    page.write_text('<i style="--v: .24" data-figure="shop ndcg"></i>')
    assert figures.documents(write=True) == 0
    assert page.read_text() == '<i style="--v: .25" data-figure="shop ndcg"></i>'


TABLE = """<!-- table shop -->
| last 28 days | recall | published |
|---|---|---|
| **Tandem** (three seeds) | **.24** ± .01 (.20 to .30) | .9 / .8 |
| the towers alone | | |

A figure of .5<!-- given --> is chosen.
"""


def test_a_table_is_held_as_a_whole(figures: ModuleType, tmp_path: Path) -> None:
    recall = {"recall": 0.25, "recall_spread": 0.02, "recall_low": 0.2, "recall_high": 0.31}
    figures.record("shop", str(measured(tmp_path, {"Tandem": recall})), "a log", "a command", None, "us")
    page = tmp_path / "README.md"
    page.write_text(TABLE)
    assert figures.documents(write=False) == 1
    assert figures.documents(write=True) == 0
    assert page.read_text() == TABLE.replace("**.24** ± .01 (.20 to .30)", "**.25** ± .02 (.20 to .31)")


def test_a_cell_holds_one_value(figures: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(TABLE.replace("**.24** ± .01", ".24 alone, .25 together"))
    with pytest.raises(ValueError, match=r"of Tandem\.recall cannot be read: a cell holds one value"):
        figures.documents(write=False)


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("We reach .24, and a list takes 12 ms.", [".24", "12 ms"]),
        ("The memory is 1.5 GB.", ["1.5 GB"]),
        ("# Trial\n\n**Measured once**: 2026-11-21.\n\n## Lists\n\nWe reached .24.", []),
        ("# Page\n\n## Old\n\nMeasured once, 2026-11-21: .24.\n\n## New\n\nWe reach .25.", [".25"]),
        ("| a million | 1.3 GB | *estimate* |\n", []),
        ("It has 50 ms (`TANDEM_TIMEOUT_MS`). A list takes 2 ms.", ["2 ms"]),
        ("Buckets are 1.7<!-- given --> times apart, and `x = 0.3` is code.", []),
        ("Python 3.11, [licence 2.0](LICENSE), 64 KiB, 95 % of 1,000, step 2 of 3.", []),
    ],
)
def test_a_figure_has_a_source(figures: ModuleType, text: str, without: list[str]) -> None:
    assert [figure for _, figure in figures.unsourced(text, [])] == without


def test_a_figure_without_a_source_is_named(
    figures: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "README.md").write_text("One line.\nWe reach .24 of it.\n")
    assert figures.documents(write=False) == 1
    assert "README.md:2: .24 has no source" in capsys.readouterr().out


def test_an_unknown_figure_is_refused(figures: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(".1<!-- nothing here -->")
    with pytest.raises(KeyError, match=r"nothing\.json does not exist"):
        figures.documents(write=False)
    figures.record("nothing", str(measured(tmp_path, [1])), "a log", "a command", None, "us")
    with pytest.raises(KeyError, match="names here, which"):
        figures.documents(write=False)


def test_a_record_says_on_what_and_how(figures: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--data and --command"):
        figures.record("shop", str(measured(tmp_path, [1])), None, "a command", None, "us")
    with pytest.raises(ValueError, match="has no number"):
        figures.record("shop", str(measured(tmp_path, {"a": True})), "a log", "a command", None, "us")


def test_a_rerun_must_stay_in_the_interval(
    figures: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures.record("shop", str(measured(tmp_path, {"a": 100, "gone": 5})), "a log", "a command", 0.02, "us")
    assert figures.rerun("shop", str(measured(tmp_path, {"a": 101.9, "gone": 5}))) == 0
    assert figures.rerun("shop", str(measured(tmp_path, {"a": 102.1}))) == 1
    said = capsys.readouterr().out
    assert "shop a is 102.1, outside 98 to 102" in said
    assert "shop gone is no longer measured" in said

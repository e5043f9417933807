"""Tables, exports and lists of users without a person."""

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.outside_text import from_sheet
from tests.support.odd_ids import ODD_IDS
from training.batch.lists import write_lists
from training.erasure.tables import erase_csv, erase_json, erase_parquet, erase_tables, names, rows_of
from training.workspace import Workspace

ODD = "o'Hara/ü\"\\ 🙂"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path)
    for folder in ("ingested", "features", "dataset", "exports"):
        (made.data / folder).mkdir(parents=True)
    return made


def write(path: Path, **columns: list[object]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_rows_of_the_user_go_and_the_others_stay_as_they_were(workspace: Workspace) -> None:
    path = write(workspace.ingested("events"), user_id=["u1", ODD, "u12", None, ODD], n=[1, 2, 3, 4, 5])
    before = pq.read_schema(path)
    assert erase_tables(workspace, ODD, "x") == {"data/ingested/events.parquet": 2}
    assert pq.read_table(path).to_pydict() == {"user_id": ["u1", "u12", None], "n": [1, 3, 4]}
    assert pq.read_schema(path).equals(before)
    assert erase_tables(workspace, ODD, "x") == {}


def test_a_table_loses_the_rows_of_exactly_that_id_whatever_is_in_it(workspace: Workspace) -> None:
    path, left = write(workspace.ingested("events"), user_id=list(ODD_IDS)), list(ODD_IDS)
    for user_id in ODD_IDS:
        assert erase_tables(workspace, user_id, "x") == {"data/ingested/events.parquet": 1}, user_id
        left.remove(user_id)
        assert pq.read_table(path)["user_id"].to_pylist() == left


def test_a_folder_of_parts_is_gone_through(workspace: Workspace) -> None:
    parts = workspace.feature_table("user_statistics")
    parts.mkdir()
    write(parts / "part-0.parquet", user_id=["u1", "u2"])
    write(parts / "part-1.parquet", user_id=["u1"])
    assert sum(erase_tables(workspace, "u1", "x").values()) == 2
    assert pq.read_table(parts)["user_id"].to_pylist() == ["u2"]


def test_where_rows_belong_to_other_files_the_id_alone_goes(workspace: Workspace) -> None:
    path = write(workspace.dataset / "users_1.parquet", user_id=["u1", "u2"], n=[1, 2])
    (workspace.dataset / "vocabularies.json").write_text(json.dumps({"user_id": ["u1", "u2"], "item_id": ["u1"]}))
    erase_tables(workspace, "u1", "stand-in")
    assert pq.read_table(path).to_pydict() == {"user_id": ["stand-in", "u2"], "n": [1, 2]}
    terms = json.loads((workspace.dataset / "vocabularies.json").read_text())
    assert terms == {"user_id": ["stand-in", "u2"], "item_id": ["u1"]}


def test_rows_that_could_not_be_read_go_where_their_text_names_the_user(workspace: Workspace) -> None:
    path = write(workspace.ingested("quarantine"), user_id=[None, None, "u2"], raw=["a,u1,b", "a,u12,b", "u2"])
    erase_tables(workspace, "u1", "x")
    assert pq.read_table(path)["raw"].to_pylist() == ["a,u12,b", "u2"]


def test_exports_lose_their_rows(workspace: Workspace) -> None:
    (workspace.data / "exports" / "mail.csv").write_text(
        f'user_id,products\nu1,"[1]"\n"{ODD.replace(chr(34), chr(34) * 2)}",x\n'
    )
    (workspace.data / "exports" / "more.csv").write_text("name\nu1\n")
    lines = [json.dumps({"user_id": user}) for user in ("u1", ODD)]
    (workspace.data / "exports" / "posted.jsonl").write_text("\n".join([*lines, "no JSON", ""]))
    found = erase_tables(workspace, ODD, "x")
    assert found == {"data/exports/mail.csv": 1, "data/exports/posted.jsonl": 1}
    assert (workspace.data / "exports" / "mail.csv").read_text() == 'user_id,products\nu1,"[1]"\n'
    assert (workspace.data / "exports" / "posted.jsonl").read_text() == f"{lines[0]}\nno JSON\n"


@pytest.mark.parametrize("marked", [True, False])
def test_a_sheet_loses_the_rows_of_exactly_that_id_marked_or_as_it_is(workspace: Workspace, marked: bool) -> None:
    path = workspace.data / "exports" / "lists.csv"
    left = [one for one in ODD_IDS if marked or one != "''"]  # which is the marked spelling of another one
    if marked:
        write_lists(pa.table({"user_id": left, "products": [["1"]] * len(left)}), path)
    else:
        with path.open("w", newline="", encoding="utf-8-sig") as file:
            csv.writer(file).writerows([("user_id",), *((one,) for one in left)])
    for user_id in list(left):
        assert erase_csv(path, user_id, None) == 1, user_id
        left.remove(user_id)
        with path.open(newline="", encoding="utf-8") as file:
            found = [row[0] for row in csv.reader(file)][1:]
        assert [from_sheet(cell) if marked else cell for cell in found] == left


def test_a_sheet_in_another_encoding_loses_its_rows_and_keeps_its_bytes(workspace: Workspace) -> None:
    path = workspace.data / "latin.csv"
    path.write_bytes("user_id,name\nu1,a\nu2,Müller\n".encode("latin-1"))
    assert erase_tables(workspace, "u1", "x") == {"data/latin.csv": 1}
    assert path.read_bytes() == "user_id,name\nu2,Müller\n".encode("latin-1")


@pytest.mark.parametrize("name", ["other-server.jsonl", "other-server.jsonl.1", "other-server.jsonl.2026-01-01"])
def test_lines_go_by_their_user_whatever_is_in_their_texts(workspace: Workspace, name: str) -> None:
    path, left = workspace.data / "logs" / name, list(ODD_IDS)
    path.parent.mkdir()
    texts = [json.dumps({"user_id": user_id, "q": ODD_IDS}, ensure_ascii=False) for user_id in ODD_IDS]
    path.write_bytes(b"\xff no JSON\r\n" + "\n".join(texts).encode())  # the last line has no end
    for user_id in ODD_IDS:
        assert erase_tables(workspace, user_id, "x") == {f"data/logs/{name}": 1}, user_id
        left.remove(user_id)
        first, *lines = path.read_bytes().split(b"\n")
        assert (first, [json.loads(line)["user_id"] for line in lines]) == (b"\xff no JSON\r", left)


def test_a_row_that_could_not_be_read_may_spell_the_id_as_its_file_does() -> None:
    for user_id in (ODD, "anna\nberta", 'a"b', "ü\u2028"):
        for text in (
            json.dumps(user_id),
            json.dumps(user_id, ensure_ascii=False),
            f'1,"{user_id.replace(chr(34), chr(34) * 2)}"',
        ):
            assert names(f"x,{text},y", user_id), text


def test_a_word_is_the_id_only_as_a_whole() -> None:
    assert names("a,u1,b", "u1") and names("u1", "u1") and names('{"user":"u1"}', "u1")
    assert not names("u12", "u1") and not names("xu1", "u1")
    assert names(f"a {ODD} b", ODD)


def test_what_is_no_json_and_what_names_nobody_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.json").write_text("[1]")
    assert erase_json(tmp_path / "a.json", "u1", None) == erase_json(tmp_path / "b.json", "u1", None) == 0
    assert erase_parquet(write(tmp_path / "items.parquet", item_id=["u1"]), "u1", None) == 0


def test_the_rows_of_a_person_are_read_for_export(workspace: Workspace) -> None:
    write(workspace.ingested("events"), user_id=["u1", ODD], n=[1, 2])
    assert rows_of(workspace, ODD) == {"data/ingested/events.parquet": [{"user_id": ODD, "n": 2}]}

"""A bundle is made again only with its own code and its own data; each refusal says what is here and what to do."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.errors import InvalidInput, MissingArtifact
from training.content_digest import content_digest
from training.release import origin
from training.release.origin import Origin, origin_of, refuse_other_code, refuse_other_data
from training.workspace import Workspace

COMMIT, OTHER = "a" * 40, "b" * 40


def made_with(commit: str) -> Origin:
    return Origin("v1", commit, {})


def test_the_same_commit_is_let_through() -> None:
    refuse_other_code(made_with(COMMIT), COMMIT)


@pytest.mark.parametrize(
    ("made", "here", "words"),
    [
        (
            COMMIT,
            OTHER,
            f"made with commit {COMMIT}, and this checkout is at {OTHER}. `git worktree add ../aaaaaaaaaaaa",
        ),
        (COMMIT, f"{COMMIT} changed", f"this checkout is at {COMMIT} changed"),
        (COMMIT, "", "no commit: there is no git"),
        (f"{COMMIT} changed", f"{COMMIT} changed", f"edited after commit {COMMIT}: that code is in no commit"),
        ("", COMMIT, "its run names no commit"),
    ],
)
def test_other_code_is_refused_in_words(made: str, here: str, words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        refuse_other_code(made_with(made), here)
    assert words in str(refused.value) and "--any-code" in str(refused.value)


def test_other_data_is_refused_naming_each_table(tmp_path: Path) -> None:
    for name in ("events", "users"):
        pq.write_table(pa.table({"user_id": ["u1", "u2"]}), tmp_path / f"{name}.parquet")
    recorded = {name: content_digest(tmp_path / f"{name}.parquet") for name in ("events", "users")}
    refuse_other_data(Origin("v1", COMMIT, recorded), tmp_path)
    pq.write_table(pa.table({"user_id": ["u2", "u1"]}), tmp_path / "events.parquet")  # other bytes, the same rows
    refuse_other_data(Origin("v1", COMMIT, recorded), tmp_path)
    pq.write_table(pa.table({"user_id": ["u3"]}), tmp_path / "events.parquet")
    (tmp_path / "users.parquet").unlink()
    with pytest.raises(InvalidInput) as refused:
        refuse_other_data(Origin("v1", COMMIT, recorded), tmp_path)
    said = str(refused.value)
    assert "events is 1 rows " in said and "its run says 2 rows " in said
    assert "users is not there" in said and "--data" in said


def test_an_origin_is_read_from_the_tags_of_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tags = {"code.commit": COMMIT, "data.events.content": "2 rows 0", "data.events.sha256": "00"}
    monkeypatch.setattr(origin, "run_tags", lambda *_: tags)
    assert origin_of(Workspace(tmp_path), "v1") == Origin("v1", COMMIT, {"events": "2 rows 0"})
    tags.pop("data.events.content")
    with pytest.raises(MissingArtifact, match="names no contents of its tables: it was made before runs did"):
        origin_of(Workspace(tmp_path), "v1")

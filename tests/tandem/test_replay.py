"""The command on two bundles of the trained slice: the same result twice, thresholds, and lists of another checkout."""

import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from contracts.errors import InvalidInput, MissingArtifact
from monitoring.replay.comment import LATENCY, MARKER
from tandem.__main__ import app
from tandem.replay import read_answers
from tests.support.bundles.variations import variation
from training.workspace import Workspace

pytestmark = pytest.mark.tf
USERS = ("1023", "1014", "nobody")


def run(*command: str | Path) -> Result:
    return CliRunner().invoke(app, [str(part) for part in command], catch_exceptions=False)


@pytest.fixture(scope="module")
def two(trained: Workspace, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """(version of a variation, file of requests)."""
    version = variation(trained.bundles / "current", trained.bundles, "mark").name
    file = tmp_path_factory.mktemp("requests") / "requests.jsonl"
    asked = [
        {"user_id": user, "n": n, "surface": surface} for user in USERS for n, surface in ((10, "home"), (5, "mail"))
    ]
    asked.append({"user_id": "1023", "category": ["NO SUCH CATEGORY"]})
    file.write_text("\n".join(map(json.dumps, asked)))
    return version, file


def without_times(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith(LATENCY)]


def test_a_bundle_against_itself_changes_nothing(trained: Workspace, two: tuple[str, Path], tmp_path: Path) -> None:
    limits = tmp_path / "limits.yaml"
    limits.write_text("{min_lists: 6, max_changed_users: 0, min_overlap: 1}")
    sides = ("--champion", "current", "--challenger", trained.bundles / "current")
    done = run("replay", "--root", trained.root, "--requests", two[1], *sides, "--thresholds", limits)
    assert done.exit_code == 0
    assert "6 lists of 3 users compared, 1 refused, 0 skipped" in done.output
    assert "users who get another list: 0; lists that change: 0; mean overlap@10 1.000" in done.output


def test_two_bundles_are_compared_the_same_way_twice(trained: Workspace, two: tuple[str, Path], tmp_path: Path) -> None:
    version, requests = two
    command = ("replay", "--root", trained.root, "--requests", requests, "--champion", "current")
    texts, effects = [], []
    for name in ("first", "second"):
        written = ("--comment", tmp_path / f"{name}.md", "--json", tmp_path / f"{name}.json")
        done = run(*command, "--challenger", version, *written)
        assert done.exit_code == 3  # six lists are fewer than say anything
        assert "does not hold: lists compared is 6, at least 20 passes" in done.output
        texts.append((tmp_path / f"{name}.md").read_text())
        effects.append((tmp_path / f"{name}.json").read_text())
    assert without_times(texts[0]) == without_times(texts[1])
    assert effects[0] == effects[1]
    effect = json.loads(effects[0])
    assert effect["change"]["changed_users"] == 3
    assert texts[0].startswith(MARKER)
    assert re.search(r"\| 1 \| `[^`]+` \| `[^`]+ \[mark\]` \|", texts[0])
    assert {*effect["by_surface"]} == {"home", "mail"}


def test_lists_of_another_checkout_stand_for_the_champion(
    trained: Workspace, two: tuple[str, Path], tmp_path: Path
) -> None:
    version, requests = two
    lists, command = tmp_path / "lists.jsonl", ("replay", "--root", trained.root, "--requests", requests)
    recorded = run(*command, "--challenger", "current", "--record", lists)
    assert recorded.exit_code == 0 and "7 lists in" in recorded.output
    compared = run(*command, "--challenger", version, "--champion-answers", lists, "--json", tmp_path / "file.json")
    both = run(*command, "--champion", "current", "--challenger", version, "--json", tmp_path / "both.json")
    assert compared.exit_code == both.exit_code == 3
    assert (tmp_path / "file.json").read_text() == (tmp_path / "both.json").read_text()
    lists.write_text(lists.read_text() + "{}\n")
    with pytest.raises(InvalidInput, match="line 9, was not written by `tandem replay --record`: number"):
        read_answers(lists)
    lists.write_text("")
    with pytest.raises(InvalidInput, match="line 1, was not written by"):
        read_answers(lists)
    with pytest.raises(MissingArtifact, match="no file of lists"):
        read_answers(tmp_path / "none.jsonl")


def test_a_sample_is_replayed_where_there_is_no_online_store(
    trained: Workspace, two: tuple[str, Path], tmp_path: Path
) -> None:
    sample, elsewhere = tmp_path / "sample.jsonl", Workspace(tmp_path / "elsewhere")
    drawn = run("sample-requests", sample, "--root", trained.root, "--count", "30")
    assert drawn.exit_code == 0 and "30 requests of 30" in drawn.output
    shutil.copytree((trained.bundles / "current").resolve(), elsewhere.bundles / "one")
    (elsewhere.root / "params.yaml").write_text("{}")
    done = run("replay", "--root", elsewhere.root, "--requests", sample, "--champion", "one", "--challenger", "one")
    assert done.exit_code == 0, done.output
    bare = run("sample-requests", tmp_path / "bare.jsonl", "--root", trained.root, "--count", "3", "--bare")
    assert "3 requests of 3" in bare.output and "features" not in (tmp_path / "bare.jsonl").read_text()
    recorded = run("sample-requests", tmp_path / "again.jsonl", "--root", trained.root, "--requests", two[1])
    assert "7 requests of 7" in recorded.output
    assert not any(f'"{user}"' in (tmp_path / "again.jsonl").read_text() for user in USERS)


def test_options_that_do_not_go_together_are_refused(trained: Workspace, tmp_path: Path) -> None:
    root = ("replay", "--root", trained.root)
    with pytest.raises(InvalidInput, match="to serve by --challenger"):
        run(*root)
    with pytest.raises(InvalidInput, match="what serves now by --champion"):
        run(*root, "--challenger", "current")
    with pytest.raises(InvalidInput, match="--champion has no part in --record"):
        run(*root, "--challenger", "current", "--champion", "current", "--record", tmp_path / "x")

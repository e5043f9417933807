"""The scripts that workflows are thin over, with stand-ins for gh, terraform, docker and aws on the PATH."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
GH = f"""#!{sys.executable}
import json, os, pathlib, sys
store = pathlib.Path(os.environ["COMMENTS"])
comments, words = json.loads(store.read_text()), sys.argv[1:]
if "--method" not in words:
    mark = os.environ["MARK"]
    print("\\n".join(str(c["id"]) for c in comments if c["type"] == "Bot" and c["body"].startswith(mark)))
    sys.exit(0)
path = next(word for word in words if word.startswith("repos/shop/tandem/issues/"))
body = pathlib.Path(next(word for word in words if word.startswith("body=@")).removeprefix("body=@")).read_text()
if "PATCH" in words:
    [found] = [c for c in comments if str(c["id"]) == path.split("/")[-1]]
    found["body"] = body
else:
    comments.append(dict(id=len(comments) + 1, type="Bot", body=body, number=path.split("/")[-2]))
store.write_text(json.dumps(comments))
"""


def stand_in(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def script(
    tmp_path: Path, *command: str | Path, cwd: Path = ROOT, **environment: str
) -> "subprocess.CompletedProcess[str]":
    named = {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", "GITHUB_REPOSITORY": "shop/tandem"}
    return subprocess.run(
        [str(ROOT / "scripts" / command[0]), *map(str, command[1:])],
        cwd=cwd,
        env=os.environ | named | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_comment_is_renewed_and_not_repeated(tmp_path: Path) -> None:
    store, file = tmp_path / "comments.json", tmp_path / "effect.md"
    stand_in(tmp_path / "bin", "gh", GH)
    somebody = {"id": 1, "type": "User", "body": "<!-- tandem replay -->\nmy own words"}
    store.write_text(json.dumps([somebody]))
    for text in ("first", "second"):
        file.write_text(f"<!-- tandem replay -->\n{text}\n")
        done = script(tmp_path, "renew-comment", "7", file, COMMENTS=str(store))
        assert done.returncode == 0, done.stderr
    mine, written = json.loads(store.read_text())
    assert mine == somebody
    assert (written["number"], written["body"]) == ("7", "<!-- tandem replay -->\nsecond\n")
    file.write_text("no mark\n")
    refused = script(tmp_path, "renew-comment", "7", file, COMMENTS=str(store))
    assert refused.returncode == 2 and "is not a mark" in refused.stderr


TERRAFORM = """#!/usr/bin/env bash
[[ $2 == init ]] && exit 0
echo "Plan: 1 to add, 0 to change, 0 to destroy."
exit "$PLAN_ENDS"
"""


def test_a_plan_is_a_comment_and_drift_is_red(tmp_path: Path) -> None:
    stand_in(tmp_path / "bin", "terraform", TERRAFORM)
    (tmp_path / "terraform" / "environments" / "dev").mkdir(parents=True)
    plan = tmp_path / "plan.md"
    ends = {("0",): 0, ("2",): 0, ("2", "--drift"): 2, ("1",): 1}
    for (code, *options), expected in ends.items():
        done = script(tmp_path, "terraform-plan", "dev", plan, *options, cwd=tmp_path, PLAN_ENDS=code)
        assert done.returncode == expected, done.stderr
    assert plan.read_text().startswith("<!-- terraform plan dev -->\n### Terraform, dev: Plan: 1 to add")
    gone = script(tmp_path, "terraform-plan", "test", plan, cwd=tmp_path, PLAN_ENDS="0")
    assert gone.returncode == 1 and "there is dev" in gone.stderr


def test_a_pushed_image_is_named_by_its_digest(tmp_path: Path) -> None:
    """build-images asks docker too, so one stand-in answers both."""
    answer = '#!/usr/bin/env bash\n[[ "$*" == *RepoDigests* ]] && echo "r/tandem-serving@sha256:12"\nexit 0\n'
    stand_in(tmp_path / "bin", "docker", answer)
    output = tmp_path / "output"
    done = script(
        tmp_path, "push-image", "serving",
        IMAGE_PREFIX="r/tandem", VERSION="1", BUILDER="docker", GITHUB_OUTPUT=str(output), TMPDIR=str(tmp_path),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert output.read_text() == "digest=sha256:12\n"


def test_an_effect_without_a_base_says_what_to_do(tmp_path: Path) -> None:
    none = script(tmp_path, "effect", tmp_path / "none", tmp_path / "out")
    assert none.returncode == 2 and "the folder of another checkout" in none.stderr
    (tmp_path / "base").mkdir()
    old = script(tmp_path, "effect", tmp_path / "base", tmp_path / "out")
    assert old.returncode == 0
    assert "The base has no `tandem replay` yet" in (tmp_path / "out" / "effect.md").read_text()


def workflow(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text())
    return loaded


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_each_job_has_a_time_limit_and_each_action_a_commit(path: Path) -> None:
    jobs = workflow(path)["jobs"]
    assert jobs
    for name, job in jobs.items():
        assert "uses" in job or "timeout-minutes" in job, name
        for step in job.get("steps", ()):
            action = step.get("uses", "./")
            assert action.startswith("./") or len(action.partition("@")[2]) == 40, action


@pytest.mark.parametrize("name", ["train", "release", "rollback", "terraform"])
def test_what_changes_something_outside_is_never_cut_short(name: str) -> None:
    assert workflow(ROOT / ".github" / "workflows" / f"{name}.yml")["concurrency"]["cancel-in-progress"] is False


def test_a_rollback_does_not_wait_for_the_release_that_it_ends() -> None:
    groups = [
        workflow(ROOT / ".github" / "workflows" / f"{name}.yml")["concurrency"]["group"]
        for name in ("release", "rollback")
    ]
    assert groups[0] != groups[1]

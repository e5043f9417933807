"""Tries every case of a folder: `python -m tests.cases CASES`. Exit code 1 where one is not right."""

import argparse
import contextlib
import io
import runpy
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import yaml

from contracts.bundle.files import CURRENT
from tandem.__main__ import main as tandem
from tandem.made_again import STEPS
from tests.cases.ingested import INGESTED, Outcome
from tests.cases.served import SERVED, asked, with_brands
from tests.support.repository import ROOT
from training.workspace import Workspace


def command(*arguments: str) -> tuple[int, str]:
    """(exit code, both streams) of a command; what ends it otherwise is a traceback and exit code 1."""
    said = io.StringIO()
    code = 0
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            tandem(list(arguments))
        except SystemExit as end:
            code = int(end.code or 0)
        except Exception:  # noqa: BLE001 - whatever a command lets through is what this looks for
            said.write(traceback.format_exc())
            code = 1
    return code, said.getvalue()


def ingested(case: Path, work: Path) -> str:
    """Right, or what is seen instead."""
    one = INGESTED[case.name]
    (work / "params.yaml").write_text("ingest: {max_dropped_share: 1.0}\n")
    options = ["--adapter", one.adapter, "--path", str(case / one.path)]
    if (case / "mapping.yaml").exists():
        options += ["--mapping", str(case / "mapping.yaml")]
    code, said = command("ingest", "--root", str(work), *options)
    seen = one.look(Outcome(code, said, work / "data" / "ingested"))
    if "Traceback" in said:
        return f"traceback: {said.strip().splitlines()[-1]}"
    return "right" if seen == one.right else f"seen {seen!r}, right {one.right!r}; {said.strip()[-300:]}"


def event_log_path_with_hash(case: Path, work: Path) -> str:
    """An earlier ingest, then the log of a path with '#'."""
    command("ingest", "--root", str(_params(work)), "--adapter", "ecommerce", "--path", str(_shop(case)))
    log = work / "log #1"
    shutil.copytree(case / "log #1", log)
    (work / "m.yaml").write_text(yaml.safe_dump({"event_log": f"sqlite:///{log / 'events.db'}"}))
    earlier = ["--path", str(work / "data" / "ingested"), "--mapping", str(work / "m.yaml")]
    code, said = command("ingest", "--root", str(work), "--adapter", "event-log", *earlier)
    return "right" if code == 0 and not (work / "log ").exists() else f"exit code {code}: {said.strip()[-300:]}"


def no_purchases_at_all(case: Path, work: Path) -> str:
    """A shop of views alone: a refusal in words by the features step at the latest."""
    _run_script(case / "make.py", str(work / "raw"))
    shutil.copy(case.parent / "partial-users-table" / "params.yaml", work)
    return _first_refusal(work)


def partial_users_table(case: Path, work: Path) -> str:
    """Every buyer is in the online store."""
    shutil.copytree(case, work, dirs_exist_ok=True)
    if (refused := _first_refusal(work)) != "nothing refused":
        return refused
    from serving.features.lookup import FeastLookup

    lookup = FeastLookup(work / "feature_repo", timeout_seconds=5)
    bought = set(Outcome(0, "", work / "data" / "ingested").rows("events", "user_id"))
    unknown = [user for user in bought if lookup.user(user) is None]
    return "right" if bought and not unknown else f"{len(unknown)} of {len(bought)} buyers are unknown"


def _first_refusal(work: Path) -> str:
    shutil.copytree(ROOT / "feature_repo", work / "feature_repo", ignore=shutil.ignore_patterns("data"))
    for step in ("ingest", "features", "copurchase", "materialize"):
        with contextlib.chdir(work):
            code, said = command(step)
        if code == 2 and step in ("ingest", "features") and "purchase" in said:
            return "right"
        if code:
            return f"{step} ended with exit code {code}: {said.strip()[-300:]}"
    return "nothing refused"


def _params(work: Path) -> Path:
    (work / "params.yaml").write_text("ingest: {max_dropped_share: 1.0}\n")
    return work


def _shop(case: Path) -> Path:
    return case.parent / "same-second-differing-rows" / "input"


def _run_script(script: Path, *arguments: str) -> None:
    before, sys.argv = sys.argv, [str(script), *arguments]
    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:
        sys.argv = before


PIPELINES: dict[str, Callable[[Path, Path], str]] = {
    "event-log-path-with-hash": event_log_path_with_hash,
    "no-purchases-at-all": no_purchases_at_all,
    "partial-users-table": partial_users_table,
}


def served(cases: Path, work: Path) -> Iterator[tuple[str, str]]:
    """(case, right or what is seen) of each that a server answers: of the shop with half a users table, with brands."""
    shutil.copytree(cases / "partial-users-table", work, dirs_exist_ok=True)
    shutil.copytree(ROOT / "feature_repo", work / "feature_repo", ignore=shutil.ignore_patterns("data"))
    with_brands(work / "raw" / "products.csv")
    for step in ("ingest", *STEPS):
        with contextlib.chdir(work):
            code, said = command(step)
        if code:
            yield "the shop that is served", f"{step} ended with exit code {code}: {said.strip()[-300:]}"
            return
    shop = Workspace(work)
    if not (shop.bundles / CURRENT).exists():  # of so small a shop a gate may hold the bundle back, and says so
        with contextlib.chdir(work):
            command("promote", "--force", next(shop.bundles.glob("*/manifest.json")).parent.name)
    with asked(shop) as client:
        yield from ((case, judge(client)) for case, judge in SERVED.items() if (cases / case).is_dir())


def unserved(cases: Path) -> Iterator[tuple[str, str]]:
    """(case, right or what is seen) of each that commands alone answer."""
    for case in sorted(path for path in cases.iterdir() if path.is_dir() and path.name not in SERVED):
        if judge := PIPELINES.get(case.name) or (ingested if case.name in INGESTED else None):
            with tempfile.TemporaryDirectory() as work:
                yield case.name, judge(case, Path(work))
        else:
            yield case.name, "no judge knows this case"


def main() -> int:
    """1 where a case is not right."""
    parser = argparse.ArgumentParser(prog="python -m tests.cases", description=__doc__)
    parser.add_argument("cases", type=Path, help="folder with a folder for each case")
    cases: Path = parser.parse_args().cases
    if not cases.is_dir():
        parser.error(f"{cases} is not a folder")
    wrong = 0
    with tempfile.TemporaryDirectory() as work:
        for case, seen in chain(unserved(cases), served(cases.resolve(), Path(work))):
            wrong += seen != "right"
            print(f"{case}: {seen}", flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())

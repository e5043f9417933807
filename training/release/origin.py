"""What a bundle was made from, as its MLflow run says, and whether the same is here."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import InvalidInput, MissingArtifact
from training.content_digest import content_digest
from training.registry import run_tags
from training.tracking import CHANGED, TABLES
from training.workspace import Workspace


@dataclass(frozen=True)
class Origin:
    """One bundle's code and data."""

    bundle_version: str
    commit: str  # as training/tracking.py writes it; empty where there was no git
    data: Mapping[str, str]  # content digest by table


def origin_of(workspace: Workspace, bundle_version: str) -> Origin:
    """The origin that the bundle's run recorded. Raises MissingArtifact without a run, or if it names no data."""
    tags = run_tags(workspace, bundle_version)
    data = {name: tags[f"data.{name}.content"] for name in TABLES if f"data.{name}.content" in tags}
    if "events" not in data:
        raise MissingArtifact(
            f"The run of bundle {bundle_version} names no contents of its tables: it was made before runs did. It "
            "cannot be said whether the data that lies here is the same."
        )
    return Origin(bundle_version, tags.get("code.commit", ""), data)


def refuse_other_code(origin: Origin, here: str) -> None:
    """Raises InvalidInput unless the code here, as `commit_here` names it, is what the bundle was made with."""
    made, what = origin.commit, f"Bundle {origin.bundle_version}"
    if not made:
        raise InvalidInput(f"{what} was made where there was no git, so its run names no commit. --any-code goes on.")
    if made.endswith(CHANGED):
        raise InvalidInput(
            f"{what} was made with files that were edited after commit {made.split()[0]}: that code is in no commit. "
            "--any-code compares what this checkout makes."
        )
    if made != here:
        raise InvalidInput(
            f"{what} was made with commit {made}, and this checkout is at {here or 'no commit: there is no git'}. "
            f"`git worktree add ../{made[:12]} {made}` makes a checkout of it; run this command there with --root. "
            "--any-code compares what this checkout makes."
        )


def refuse_other_data(origin: Origin, tables: Path) -> None:
    """Raises InvalidInput naming each table in a folder with other rows than the one the bundle was made from."""
    faults = []
    for name, recorded in origin.data.items():
        path = tables / f"{name}.parquet"
        here = content_digest(path) if path.exists() else "not there"
        if here != recorded:
            faults.append(f"{name} is {here}, its run says {recorded}")
    if faults:
        raise InvalidInput(
            f"Bundle {origin.bundle_version} was made from other data than {tables} holds: {'; '.join(faults)}. "
            "Ingest the raw files of that time into another workspace and name its data/ingested with --data."
        )

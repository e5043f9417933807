"""Releases on a cluster: a canary that decides, and the ways to decide for it."""

import os
import socket
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.errors import InvalidInput
from tandem.commands.audit_option import AuditOption, note, open_audit
from tandem.commands.options import HERE, OPERATION, Root
from tandem.commands.release import UrlOption, rollback_here
from tandem.console import console

if TYPE_CHECKING:
    from contracts.audit.audit_log import Audit
    from rollout.record.state import Record, Rollout
    from rollout.release import Release
    from rollout.settings import RolloutSettings

app = typer.Typer()
rollouts = typer.Typer(no_args_is_help=True, help="Release a bundle on a cluster by a canary that decides for itself.")
app.add_typer(rollouts, name="rollout", rich_help_panel=OPERATION)

ReleaseOption = Annotated[str, typer.Option("--release", envvar="TANDEM_RELEASE", help="Name of the chart's release.")]
NamespaceOption = Annotated[
    str, typer.Option("--namespace", help="Namespace of the release; without it the kubeconfig's or the pod's.")
]
SettingsOption = Annotated[
    Path | None, typer.Option("--settings", help="YAML file: steps, waits, thresholds; see docs/how-to/releases.md.")
]
Bundle = Annotated[str, typer.Option("--bundle", help="Bundle to release, as the servers reach it: s3://… or a path.")]
BundleFile = Annotated[
    Path | None,
    typer.Option("--bundle-file", help="File that names it: `tandem retrain --receipt` writes one."),
]
Registry = Annotated[
    Path, typer.Option("--root", help="Folder with mlflow.db, whose aliases follow; it may be missing.")
]


class Exit(IntEnum):
    """Exit codes of a rollout, for Jobs; 2 is an error, as everywhere."""

    PROMOTED = 0
    ABORTED = 3
    PAUSED = 4


@rollouts.command("start")
def start(
    release: ReleaseOption,
    bundle: Bundle = "",
    bundle_file: BundleFile = None,
    namespace: NamespaceOption = "",
    settings: SettingsOption = None,
    again: Annotated[
        bool,
        typer.Option("--again", help="Try a bundle that was released before: aborted, rolled back from, or stable."),
    ] = False,
    metrics_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the controller's own metrics; 0 opens none.")
    ] = 0,
    root: Registry = HERE,
    audit_log: AuditOption = None,
) -> None:
    """Roll a bundle out step by step, each one analysed; goes on where a killed controller stopped.

    Ends with 0 promoted (or stable already), 3 aborted, 4 paused beyond its patience.

    Example: tandem rollout start --release shop --bundle s3://bundles/20260101-2 --settings rollout.yaml
    """
    loaded = _settings(settings)
    loaded.refuse_unanswerable_gates()
    named = named_bundle(bundle, bundle_file)
    opened = _open(release, namespace, loaded, open_audit(root, audit_log), metrics_port)
    note(root, audit_log, "rollout.start", release=release, namespace=namespace, bundle=named, again=again)
    _ended(opened, opened.controller.start(named, again), root)


@rollouts.command("status")
def status(release: ReleaseOption, namespace: NamespaceOption = "") -> None:
    """Where the rollout stands, what it waits for, what was decided why, and what was stable before.

    Example: tandem rollout status --release shop
    """
    from rollout.record.status import lines
    from rollout.release import record_of

    for line in lines(record_of(release, namespace)):
        console.print(line, highlight=False, soft_wrap=True)


@rollouts.command("promote")
def promote(
    release: ReleaseOption,
    namespace: NamespaceOption = "",
    settings: SettingsOption = None,
    root: Registry = HERE,
    audit_log: AuditOption = None,
) -> None:
    """Give the canary all traffic now, whatever its analysis says.

    Example: tandem rollout promote --release shop
    """
    from rollout.record.state import Request

    opened = _open(release, namespace, _settings(settings), open_audit(root, audit_log))
    note(root, audit_log, "rollout.promote", release=release, namespace=namespace)
    _ended(opened, opened.ask(Request.PROMOTE), root)


@rollouts.command("abort")
def abort(
    release: ReleaseOption,
    namespace: NamespaceOption = "",
    settings: SettingsOption = None,
    root: Registry = HERE,
    audit_log: AuditOption = None,
) -> None:
    """Give stable all traffic now; the canary's slot gets its earlier bundle back.

    Example: tandem rollout abort --release shop
    """
    from rollout.record.state import Request

    opened = _open(release, namespace, _settings(settings), open_audit(root, audit_log))
    note(root, audit_log, "rollout.abort", release=release, namespace=namespace)
    opened.ask(Request.ABORT)
    console.print("aborted; all traffic is on stable")
    follow_record(opened.store.read(), root)


@rollouts.command("restore")
def restore(release: ReleaseOption, namespace: NamespaceOption = "") -> None:
    """Give both slots the shares and bundles that were decided, after `helm rollback` wrote older ones (Standard mode).

    The chart does this by itself with rollout.enabled.

    Example: tandem rollout restore --release shop
    """
    from rollout.release import restored

    rollout = restored(release, namespace)
    if rollout is None:
        console.print("no rollout yet: nothing to restore")
        return
    console.print(
        f"slot {rollout.canary} has {rollout.percent} % again, slot {rollout.stable} the rest", highlight=False
    )


@app.command("rollback", rich_help_panel=OPERATION)
def rollback(
    release: Annotated[str, typer.Option("--release", envvar="TANDEM_RELEASE", help="Release on a cluster.")] = "",
    namespace: NamespaceOption = "",
    to: Annotated[
        str, typer.Option("--to", help="Bundle to go back to; without it the one that was stable before.")
    ] = "",
    settings: SettingsOption = None,
    root: Root = HERE,
    url: UrlOption = "",
    audit_log: AuditOption = None,
) -> None:
    """Give all traffic back to an earlier bundle, at once. A rollout under way is aborted first.

    Without --release it is the bundle of this folder that goes back: servers of it change within a second or two.

    Example: tandem rollback --release shop

    Example: tandem rollback --url http://127.0.0.1:8080
    """
    if not release:
        rollback_here(root, to, url, audit_log)
        return
    opened = _open(release, namespace, _settings(settings), open_audit(root, audit_log))
    note(
        root,
        audit_log,
        "rollout.rollback",
        release=release,
        namespace=namespace,
        to=to or "the one that was stable before",
    )
    _ended(opened, opened.roll_back(to or None), root)


def named_bundle(bundle: str, file: Path | None) -> str:
    """The bundle to release. Raises InvalidInput unless exactly one of both names it."""
    if bool(bundle) == bool(file):
        raise InvalidInput("name the bundle by one of --bundle and --bundle-file")
    try:
        named = bundle or (file.read_text().strip() if file else "")
    except OSError as error:
        raise InvalidInput(f"--bundle-file {file} cannot be read: {error.strerror}") from error
    if not named:
        raise InvalidInput(f"--bundle-file {file} is empty; `tandem retrain --receipt` writes a URL into it")
    return named


def follow_record(record: "Record", root: Path) -> None:
    """Points MLflow's aliases to what a rollout has come to; where nothing was trained in root, nothing is done."""
    from training.registry import follow_rollout
    from training.workspace import Workspace

    if told := follow_rollout(Workspace(root.resolve()), record.history, record.refused):
        console.print(f"  {told}", highlight=False, soft_wrap=True)


def _ended(opened: "Release", rollout: "Rollout | None", root: Path) -> None:
    follow_record(opened.store.read(), root)
    end(rollout)


def _settings(path: Path | None) -> "RolloutSettings":
    from rollout.settings import load_settings

    return load_settings(path)


def _open(
    release: str, namespace: str, settings: "RolloutSettings", audit: "Audit", metrics_port: int = 0
) -> "Release":
    from rollout.release import open_release

    return open_release(release, namespace, settings, f"{socket.gethostname()}:{os.getpid()}", audit, metrics_port)


def end(rollout: "Rollout | None") -> None:
    """Says how it ended, by words and by exit code."""
    from rollout.record.state import Phase

    if rollout is None:
        console.print("stable already; nothing to do")
    elif rollout.phase is Phase.ABORTED:
        raise typer.Exit(Exit.ABORTED)
    elif not rollout.ended:
        console.print(f"paused at {rollout.percent} %: {rollout.waits_for}", highlight=False, soft_wrap=True)
        raise typer.Exit(Exit.PAUSED)

"""One person, over everything that a workspace holds: the server's stores, the pipeline's tables and the bundles."""

import json
import secrets
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from contracts.audit.audit_log import Actor, Audit
from contracts.erasure.receipt import Erased, Receipt
from contracts.erasure.suppression import SuppressionList
from contracts.errors import MissingArtifact
from contracts.events.log import INTERACTIONS, sqlite_path
from serving.erasure.impressions import lines_of, logs_of
from serving.erasure.receipts import private_key
from serving.erasure.server_erasure import Stores, receipt_of
from serving.events.log import ConsumedLog, user_of
from serving.events.open_log import open_log
from serving.features.online_rows import OnlineRows
from serving.features.remembered import RememberedFeatures
from serving.recommendation.answer_cache import NoCache
from tandem.commands.options import Project
from training.erasure.bundles import Renamed, SigningKeys, naming, without_name
from training.erasure.tables import erase_json, erase_tables, rows_of
from training.workspace import Workspace

RAW_FILES: Final = (
    "raw files, and copies and backups made elsewhere; files outside of the data folder, such as lists for a mailing; "
    "compressed files, and others than .parquet, .json, .jsonl and .csv with commas. "
    "Later ingests leave the person out."
)
OF_A_SERVER: Final = ("remembered features", "cached lists")
AT_ONCE: Final = 10_000


def erase_everywhere(
    project: Project, user_id: str, log_url: str, keys: SigningKeys, audit: Audit, actor: Actor
) -> tuple[Receipt, list[Renamed]]:
    """The receipt of an erasure from a whole workspace, and the bundles that have another version now.

    What was interrupted is gone on with by asking again.

    Raises InvalidInput before anything is changed where a signed bundle could not be signed again, AuditFailed, and
    TandemError where a store does not answer.
    """
    workspace, life_days = project.workspace, project.settings.erasure.bundle_life_days
    if keys.bundle is not None:
        private_key(keys.bundle)  # refused now, and not after somebody was erased
    suppressed = SuppressionList(workspace.erasures)
    person, stand_in = suppressed.pseudonym(user_id), f"erased-{secrets.token_hex(8)}"
    versions = naming(workspace.bundles, user_id) if workspace.bundles.is_dir() else []
    audit.record(actor, "user.erase", person=person)
    renamed = without_name(workspace.bundles, versions, user_id, stand_in, keys, life_days) if versions else []
    for one in renamed:
        audit.record(actor, "bundle.exchange", before=one.before, now=one.now.bundle_version)
        _name_anew(workspace.bundle_receipt, one.before, one.now.bundle_version)
    online, not_reached = _online(workspace)
    found = _from_stores(workspace, online, suppressed, user_id, log_url)
    found += [Erased(store=path, found=rows) for path, rows in erase_tables(workspace, user_id, stand_in).items()]
    found += [
        Erased(store=str(path.relative_to(workspace.root)), found=count)
        for path in sorted((workspace.root / "mlruns").rglob("manifest.json"))
        if (count := erase_json(path, user_id, None))
    ]
    bundles = [one.now for one in renamed]
    return receipt_of(suppressed, user_id, found, bundles, keys.bundle, [*not_reached, RAW_FILES]), renamed


def settings_naming(workspace: Workspace, version: str) -> list[str]:
    """The YAML files at the workspace's root, such as experiment.yaml, that name the version."""
    found = sorted(workspace.root.glob("*.yaml"))
    return [path.name for path in found if version in path.read_text(encoding="utf-8", errors="replace")]


def _name_anew(bundle_receipt: Path, before: str, now: str) -> None:
    """The note of the last run's bundle, where it names the one that is gone."""
    if bundle_receipt.is_file() and before in (text := bundle_receipt.read_text()):
        bundle_receipt.write_text(text.replace(before, now))


def _from_stores(
    workspace: Workspace, online: OnlineRows | None, suppressed: SuppressionList, user_id: str, log_url: str
) -> list[Erased]:
    """What servers write; the list comes first, and a server that runs looks at it."""
    log = _log(log_url or workspace.event_log)
    erase_online: Callable[[str], int] = online.erase if online else lambda _: 0
    stores = Stores(log, erase_online, workspace.impression_log, RememberedFeatures(0), NoCache())
    try:
        return [one for one in stores.erase(suppressed, user_id) if one.store not in OF_A_SERVER]
    finally:
        if log is not None:
            log.close()


def _online(workspace: Workspace) -> tuple[OnlineRows | None, list[str]]:
    """The online store, or none and why it was not reached: never passed over in silence."""
    try:
        return OnlineRows(workspace.feature_repo), []
    except MissingArtifact as error:
        return None, [f"online store: {error}"]


def everything_of(workspace: Workspace, user_id: str, log_url: str) -> str:
    """What is stored of a person, as JSON. Raises TandemError where a store does not answer."""
    online, not_reached = _online(workspace)
    shown = [line for log in logs_of(workspace.impression_log) for line in lines_of(log, user_id)]
    stored = {
        "user_id": user_id,
        "posted_events": _posted(log_url or workspace.event_log, user_id),
        "online_features": online.stored(user_id) if online else {},
        "shown_lists": [json.loads(line) for line in shown],
        "tables": rows_of(workspace, user_id),
        "bundles_that_learned": naming(workspace.bundles, user_id) if workspace.bundles.is_dir() else [],
        "not_reached": not_reached,
    }
    return json.dumps(stored, indent=2, ensure_ascii=False, default=str)


def _posted(url: str, user_id: str) -> list[Any]:
    log = _log(url)
    if log is None:
        return []
    with closing(log):
        events, after = [], 0
        while entries := log.read(after, AT_ONCE):
            events += [json.loads(entry.payload) for entry in entries if user_of(entry.payload) == user_id]
            after = entries[-1].position
    return events


def _log(url: str) -> ConsumedLog | None:
    """The log of interactions; None for a file that nobody has written yet."""
    path = sqlite_path(url)
    return None if path and not Path(path).exists() else open_log(url, INTERACTIONS, vouched=True)

"""Files that steer a server leave a line in the audit log when they change."""

import json
import os
from pathlib import Path

from contracts.audit.audit_log import AuditLog, verified
from serving.api import file_audit
from serving.api.file_audit import FileAudit, watched_files
from serving.settings import ServingSettings


def test_a_file_is_noted_at_the_start_and_at_each_change(tmp_path: Path) -> None:
    log, rules = tmp_path / "audit.jsonl", tmp_path / "rules.yaml"
    rules.write_text("a")
    watch = FileAudit(AuditLog(log), "rules", rules)
    for number, text in enumerate(("a", "a", "b", None)):
        if text is None:
            rules.unlink()
        else:
            rules.write_text(text)
            os.utime(rules, (1, 1 if text == "a" else number))
        watch._changes._looked -= file_audit.LOOK_SECONDS
        watch.step()
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    # SHA-256 of "a" and of "b"
    a, b = "ca978112ca1b", "3e23e8160039"
    noted = [(entry["action"], entry["what"]["sha256"][:12]) for entry in entries]
    assert noted[0] == ("rules.read", a)
    assert noted[-2:] == [("rules.changed", b), ("rules.changed", "gone")]
    assert entries[0]["channel"] == "file" and entries[0]["address"] == str(rules)
    assert verified(log).fault == ""


def test_without_an_audit_log_no_file_is_watched(tmp_path: Path) -> None:
    keys = tmp_path / "keys.yaml"
    assert watched_files(ServingSettings(api_keys=keys)) == {}
    assert watched_files(ServingSettings(api_keys=keys, audit_log=tmp_path / "audit.jsonl")) == {"keys": keys}

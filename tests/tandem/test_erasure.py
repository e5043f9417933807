"""After an erasure an id is in no file of the workspace and in no key of Redis, and no ingest brings it back."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import redis
from typer.testing import CliRunner

from contracts.audit.audit_log import verified
from contracts.bundle.files import VOCABULARIES
from contracts.bundle.promotions import bundle_versions, current_version
from contracts.bundle.retirement import retiring
from contracts.errors import InvalidInput, NotAllowed
from tandem.__main__ import app
from tandem.server import wait_until_ready
from tests.support.bundles.sealed import PARTS, make_bundle
from tests.support.each import each
from tests.support.real_parts import asking
from tests.support.real_parts.redis_server import DURABLE, RedisServer, use_redis
from tests.support.real_parts.servers import KEY, PATIENT, WITH_KEY, free_port
from training.erasure.bundles import SigningKeys, naming, without_name
from training.erasure.tables import erase_json, erase_parquet
from training.feature_store.store import apply_definitions, materialize_copurchase, materialize_users
from training.release.signing import new_key
from training.workspace import Workspace

pytestmark = pytest.mark.tf

WAS = "1023"  # households of the slice
SECOND_WAS = "1014"
ODD = "zébra'7/%27\"\\ 🦓;--"  # in no file by chance, and all that SQL, JSON, URLs and paths may stumble over
SECOND = 'ärgerlich"%2F?#\\ 🐘--'
SECONDS = 60
AT_ONCE = 1000
OF_MODELS = (".npy", ".onnx", ".faiss", ".pb", ".data-00000-of-00001")  # nine tenths of the workspace's 400 MB
BOTH_STORES = pytest.mark.parametrize("shop", ["sqlite", "redis"], indirect=True)
"""For tests that read what the online store and the event log hold; the others ask what is the same for both."""


@dataclass
class Shop:
    """A workspace in which two users have odd ids, with a server over it."""

    workspace: Workspace
    event_log: str
    redis: RedisServer | None
    url: str = ""
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def root(self) -> Path:
        return self.workspace.root

    def run(self, *words: str, ok: bool = True) -> str:
        result = CliRunner().invoke(app, [*words, "--root", str(self.root)], catch_exceptions=ok)
        assert (result.exit_code == 0) is ok, result.output
        return result.output

    def erase(self, user: str, *words: str) -> dict[str, Any]:
        receipt = self.root / "receipt.json"
        self.run("erase", user, "--log", self.event_log, "--receipt", str(receipt), *words)
        found: dict[str, Any] = json.loads(receipt.read_text())
        receipt.unlink()
        return found

    def serve(self) -> None:
        port = free_port()
        options = ["--root", str(self.root), "--port", str(port), "--historical", "--event-log", self.event_log]
        settings = {"TANDEM_API_KEY": KEY, "TANDEM_CACHE_SECONDS": "600"}
        command = [sys.executable, "-m", "tandem", "serve", *options]
        self.process = subprocess.Popen(command, env=os.environ | PATIENT | settings)
        wait_until_ready(port, self.process)
        self.url = f"http://127.0.0.1:{port}"

    def end(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=30)
            self.process = None

    def post(self, user_id: str, event_id: str, event_type: str = "purchase") -> dict[str, Any]:
        event = {"event_id": event_id, "event_type": event_type, "user_id": user_id, "item_id": "819063"}
        answer = asking.post(f"{self.url}/events", json=event, headers=WITH_KEY, timeout=30).raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def shown(self, user_id: str) -> dict[str, Any]:
        answer = asking.get(f"{self.url}/recommendations/{quote(user_id, safe='')}", timeout=30).raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


def renamed(workspace: Workspace) -> None:
    """The households under the odd ids, in every file that the pipeline has written."""
    for was, odd in ((WAS, ODD), (SECOND_WAS, SECOND)):
        for path in workspace.data.rglob("*.parquet"):
            if path.is_file():
                erase_parquet(path, was, odd)
        erase_json(workspace.dataset / "vocabularies.json", was, odd)
        without_name(workspace.bundles, naming(workspace.bundles, was), was, odd, SigningKeys(), 180)
    workspace.bundle_receipt.write_text(json.dumps({"bundle_version": current_version(workspace.bundles)}))
    for name in ("mlruns", "mlflow.db"):
        path = workspace.root / name
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def copied(source: str, target: str) -> None:
    """A copy of a file, or another link to it where it is one of a trained model, which no command here writes."""
    (os.link if Path(source).suffix in OF_MODELS else shutil.copy2)(source, target)


@pytest.fixture(scope="module")
def template(trained: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The slice with the odd ids, which each test copies."""
    workspace = Workspace(tmp_path_factory.mktemp("template") / "shop")
    shutil.copytree(trained.root, workspace.root, symlinks=True, copy_function=copied)
    renamed(workspace)
    for path in workspace.feature_repo.glob("data/online.db*"):
        path.unlink()
    shutil.rmtree(workspace.data / "bundle-cache", ignore_errors=True)
    (workspace.data / "bundle-cache").symlink_to(tmp_path_factory.mktemp("tried"))  # the bundle, by the first server
    materialized(workspace)
    return workspace


def materialized(workspace: Workspace) -> None:
    """The online store, as the pipeline fills it."""
    apply_definitions(workspace)
    materialize_users(workspace)
    materialize_copurchase(workspace)


@pytest.fixture(params=["sqlite"])
def shop(request: pytest.FixtureRequest, template: Workspace, tmp_path: Path) -> Iterator[Shop]:
    workspace = Workspace(tmp_path / "shop")
    shutil.copytree(template.root, workspace.root, symlinks=True, copy_function=copied)
    server: RedisServer | None = None
    event_log = workspace.event_log
    if request.param == "redis":
        server = request.getfixturevalue("redis_server")(*DURABLE, "--rdbcompression", "no")  # dumps show ids
        use_redis(workspace.feature_repo / "feature_store.yaml", server.connection_string)
        (workspace.feature_repo / "data" / "online.db").unlink()
        materialized(workspace)
        event_log = server.url
    made = Shop(workspace, event_log, server)
    yield made
    made.end()


def spellings(user_id: str) -> list[bytes]:
    """The id as files may spell it: plain, in JSON with and without its escapes, in a URL."""
    texts = {user_id, json.dumps(user_id)[1:-1], json.dumps(user_id, ensure_ascii=False)[1:-1], quote(user_id, safe="")}
    return [text.encode() for text in texts]


def cells(path: Path, user_id: str) -> int:
    """Cells of a Parquet file, and elements of its arrays, that have the id: compressed pages hide it from grep."""
    found = 0
    for column in pq.ParquetFile(path).read(columns=columns_of_texts(path)).columns:
        for chunk in column.chunks:
            values = chunk.flatten() if pa.types.is_list(chunk.type) else chunk
            found += pc.sum(pc.match_substring(values, user_id)).as_py() or 0
    return found


def columns_of_texts(path: Path) -> list[str]:
    """Those of texts and of arrays of texts; numbers have no id, and are most of what decoding would cost."""

    def holds_text(kind: Any) -> bool:
        return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))

    return [
        field.name
        for field in pq.read_schema(path)
        if holds_text(field.type.value_type if pa.types.is_list(field.type) else field.type)
    ]


def count_in(path: Path, user_id: str) -> int:
    """How often the id is in a file, bytes and decoded Parquet both."""
    content = path.read_bytes()
    count = sum(content.count(one) for one in spellings(user_id))
    return count + (cells(path, user_id) if path.suffix == ".parquet" else 0)


COUNTED: dict[tuple[int, int, str], int] = {}
"""Of (inode, time of change, id): a file that is as it was has as many, and is the same one in each test's copy."""


def occurrences(shop: Shop, user_id: str) -> dict[str, int]:
    """How often the id is in each file of the workspace, bytes and decoded Parquet both, and in Redis."""
    found = {}
    for path in each(path for path in shop.root.rglob("*") if path.is_file()):
        status = path.stat()
        version = (status.st_ino, status.st_mtime_ns, user_id)
        if version not in COUNTED:
            COUNTED[version] = count_in(path, user_id)
        if count := COUNTED[version]:
            found[str(path.relative_to(shop.root))] = count
    return found | (in_redis(shop.redis.url, user_id) if shop.redis is not None else {})


def in_redis(url: str, user_id: str) -> dict[str, int]:
    """How often the id is in each key and its value."""
    found, names = {}, spellings(user_id)
    with closing(redis.Redis.from_url(url)) as client:
        asked: Any = client  # typed for both of its kinds
        keys = each(asked.scan_iter(count=AT_ONCE))
        with asked.pipeline(transaction=False) as dumps:
            for key in keys:
                dumps.dump(key)
            for key, dump in zip(keys, dumps.execute(), strict=True):
                content = key + (dump or b"")
                if count := sum(content.count(one) for one in names):
                    found[f"redis {key!r}"] = count
    return found


def eventually(holds: Any) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def did_much(shop: Shop, user: str) -> None:
    """The user in every store: posted, applied, shown, cached, quarantined."""
    for number in range(5):
        assert shop.post(user, f"{user}-{number}")["accepted"] == 1
    for _ in range(3):
        shop.shown(user)
    eventually(lambda: "0 waiting" in shop.run("events", "status", "--log", shop.event_log))
    shop.shown(user)


@BOTH_STORES
def test_after_an_erasure_no_file_and_no_key_has_the_id(shop: Shop, tmp_path: Path) -> None:
    """By the command for one person, and over HTTP for another on the same server."""
    shop.serve()
    did_much(shop, ODD)
    did_much(shop, SECOND)
    before = occurrences(shop, ODD)
    assert len(before) > 8, before
    assert "data/impressions.jsonl" in before and any("vocabularies.json" in name for name in before)
    exported(shop, tmp_path / "out.json")
    public = new_key(tmp_path / "key.pem")
    receipt = erased_by_the_command(shop, tmp_path / "key.pem")
    erased_over_http(shop)
    shop.end()
    assert occurrences(shop, ODD) == {}
    receipt_holds(shop, receipt, public)
    left = occurrences(shop, SECOND)
    assert all(name.startswith(("data/ingested/", "data/features/", "data/dataset/", "data/evaluation", "bundles/"))
               for name in each(left)), left  # fmt: skip
    shop.erase(SECOND, "--sign-key", str(tmp_path / "key.pem"))
    assert occurrences(shop, SECOND) == {}
    shop.run("export-user", ODD, "--log", shop.event_log, "--out", str(tmp_path / "out.json"))
    assert json.loads((tmp_path / "out.json").read_text()) == {
        "user_id": ODD, "posted_events": [], "online_features": {}, "shown_lists": [], "tables": {},
        "bundles_that_learned": [], "not_reached": [],
    }  # fmt: skip


def exported(shop: Shop, out: Path) -> None:
    """What is stored of a person is written by the command."""
    shop.run("export-user", ODD, "--log", shop.event_log, "--out", str(out))
    stored = json.loads(out.read_text())
    out.unlink()
    assert len(stored["posted_events"]) == 5 and len(stored["shown_lists"]) == 4
    assert stored["online_features"]["history_item_ids"]
    assert {row["user_id"] for row in each(stored["tables"]["data/ingested/events.parquet"])} == {ODD}
    assert stored["bundles_that_learned"] == [current_version(shop.workspace.bundles)]


def erased_by_the_command(shop: Shop, key: Path) -> dict[str, Any]:
    """The receipt; while the server goes on, nothing comes back."""
    version = current_version(shop.workspace.bundles)
    receipt = shop.erase(ODD, "--sign-key", str(key))
    stores = {one["store"]: one["found"] for one in receipt["stores"]}
    assert stores["event log"] == 5
    assert stores["online store"] > 0
    assert stores["impressions"] == 4
    assert stores["data/ingested/events.parquet"] > 0
    assert stores["data/features/user_history.parquet"] > 0
    assert ODD not in json.dumps(receipt, ensure_ascii=False)
    # the bundle that has learned from them, without their name, in the place of the one before
    (bundle,) = receipt["bundles"]
    assert bundle["bundle_version"] == current_version(shop.workspace.bundles) != version
    assert retiring(shop.workspace.bundles) == {bundle["bundle_version"]: bundle["retires_on"]}
    assert receipt["last_retires_on"] == bundle["retires_on"]
    assert json.loads(shop.workspace.bundle_receipt.read_text())["bundle_version"] == bundle["bundle_version"]
    eventually(lambda: asking.get(f"{shop.url}/bundle").json()["bundle_version"] == bundle["bundle_version"])
    # nobody, and nothing comes back while the server goes on
    assert shop.post(ODD, "again") == {"accepted": 0, "duplicate": 0, "suppressed": 1, "rejected": []}
    assert shop.shown(ODD)["degraded_level"] == "popularity"
    history = asking.get(f"{shop.url}/users/{quote(ODD, safe='')}/history", headers=WITH_KEY, timeout=30)
    assert history.status_code == httpx.codes.NOT_FOUND
    return receipt


def erased_over_http(shop: Shop) -> None:
    """The same in the reach of a server."""
    shop.shown(SECOND)  # by the bundle that serves now
    address = f"{shop.url}/users/{quote(SECOND, safe='')}"
    assert asking.delete(address, timeout=30).status_code == httpx.codes.UNAUTHORIZED
    receipt = asking.delete(address, headers=WITH_KEY, timeout=60).raise_for_status().json()
    stores = {one["store"]: one["found"] for one in receipt["stores"]}
    assert (stores["event log"], stores["impressions"]) == (5, 5)
    assert stores["online store"] > 0 and stores["remembered features"] == 1
    assert [one["bundle_version"] for one in receipt["bundles"]] == [current_version(shop.workspace.bundles)]
    assert "No signing key" in receipt["note"] and "`tandem erase`" in receipt["not_reached"][0]
    assert shop.post(SECOND, "again")["suppressed"] == 1
    shop.shown(SECOND)


def receipt_holds(shop: Shop, receipt: dict[str, Any], public: str) -> None:
    """It is kept, can be verified, and is refused once it was changed; the log of changes is whole."""
    path = next(
        path for path in (shop.workspace.erasures / "receipts").iterdir() if json.loads(path.read_text()) == receipt
    )
    shop.run("receipt", "verify", str(path), "--public-key", public, "--user", ODD)
    path.write_text(path.read_text().replace('"found": 5', '"found": 0'))
    with pytest.raises(NotAllowed, match="changed after it was signed"):
        shop.run("receipt", "verify", str(path), "--public-key", public, ok=False)
    # it names them by hash alone
    assert verified(shop.workspace.audit_log).fault == ""
    assert receipt["person"] in shop.workspace.audit_log.read_text()


def test_no_later_ingest_of_the_same_files_brings_them_back(shop: Shop) -> None:
    shop.erase(WAS)  # in the raw files the household has its own id
    report = json.loads(shop.workspace.ingest_report.read_text())
    shop.run("ingest")
    again = json.loads(shop.workspace.ingest_report.read_text())
    assert again["events_suppressed"] > 0 and again["users_suppressed"] == 1
    kept = again["events_kept"] + sum(again["events_dropped"].values())
    assert again["events_in"] == kept + again["events_suppressed"]
    assert again["events_in"] > report["events_kept"]
    for table in ("events", "users", "quarantine"):
        rows = pq.read_table(shop.workspace.ingested(table))
        assert WAS not in rows["user_id"].to_pylist()


def test_a_signed_bundle_is_not_touched_without_the_key(shop: Shop) -> None:
    current = shop.workspace.bundles / "current"
    (current / "manifest.sig").write_text("c2lnbmVk\n")
    before = occurrences(shop, ODD)
    with pytest.raises(InvalidInput, match="--sign-key"):
        shop.run("erase", ODD, "--log", shop.event_log, ok=False)
    assert occurrences(shop, ODD) == before


def test_an_online_store_that_cannot_be_reached_is_said(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.data.mkdir()
    (tmp_path / "params.yaml").write_text("{}")
    shop = Shop(workspace, workspace.event_log, None)
    assert shop.erase("u1")["not_reached"][0].startswith("online store: Feature service")
    assert json.loads(shop.run("export-user", "u1"))["not_reached"]


def test_the_new_version_of_a_bundle_is_said_and_where_the_old_one_is_named(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.data.mkdir()
    (tmp_path / "params.yaml").write_text("{}")
    old = make_bundle(workspace.bundles, PARTS | {VOCABULARIES: b'{"user_id": ["u1", "u2"]}'}).name
    (tmp_path / "experiment.yaml").write_text(f"name: deeper\nchallenger: {old}\nshare: 0.1\n")
    said = Shop(workspace, workspace.event_log, None).run("erase", "u1")
    (now,) = bundle_versions(workspace.bundles)
    assert f"bundle {old} is now {now}\n" in said
    assert f"experiment.yaml names {old}: write {now} there" in said
    assert "not touched: raw files, and copies" in said and "Later ingests leave the person out." in said

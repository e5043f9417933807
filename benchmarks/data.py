"""Data work at full scale: `make bench`, or `python -m benchmarks.data --help`.

A made-up shop is written as raw Parquet files first, which is not timed. Then `tandem ingest` reads those files through
the ecommerce adapter and `tandem features` follows, each as a process of its own, start of Python included. Sessions
become visits, so more events come in than the shop has interactions. Rows are counted in and out.
"""

import argparse
import json
import math
import multiprocessing
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow.parquet as pq
import redis
import yaml

from benchmarks.process_cost import Cost, cost_of
from contracts.features import names
from serving.runtime.screen import keep_libraries_quiet
from tests.support.real_parts.redis_server import RedisServer, missing
from tests.support.real_parts.servers import free_port
from tests.support.workspaces.workspace import new_workspace
from training.timeline import Timeline
from training.workspace import Workspace

Result = TypeVar("Result")
USERS_PER_EVENT, PRODUCTS_PER_EVENT = 0.1, 0.025
POINT_IN_TIME_ROWS = 1_000_000
STORE_EVENTS = 2_000_000  # the shop whose 200,000 users are joined and materialized
POINT_IN_TIME_BUDGET, MATERIALIZE_BUDGET = 12.0, 35.0  # seconds


@dataclass(frozen=True)
class Budget:
    """Limits for ingest and features together."""

    seconds: float
    peak_gb: float


BUDGETS = {2_000_000: Budget(60, 4), 20_000_000: Budget(600, 10)}  # by interactions


@dataclass(frozen=True)
class Shop:
    """A made-up shop whose raw files have been through ingest and features."""

    workspace: Workspace
    interactions: int
    events: int  # that came in
    cost: Cost


def main() -> int:
    """Exit code 1 when a budget was not kept or a part could not be measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, nargs="+", default=[2_000_000, 20_000_000], help="sizes, ascending")
    parser.add_argument("--folder", type=Path, help="where to work: 5 GB of disk for 20 million events")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the start")
    kept = []
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        shops = []
        for interactions in options.events:
            shop = _built(Path(folder) / str(interactions), interactions)
            kept.append(_report_build(shop))
            if interactions == STORE_EVENTS:
                kept.append(_report_point_in_time(shop.workspace))
                kept += _report_materialize(shop.workspace)
            shops.append(shop)
            shutil.rmtree(shop.workspace.root)
        kept += [_report_growth(*pair) for pair in pairwise(shops)]
    return int(not all(kept))


def _built(root: Path, interactions: int) -> Shop:
    workspace = new_workspace(root, "features: {holidays: US}")
    _in_own_process(_leave_raw_files, root, interactions)
    tandem = [sys.executable, "-m", "tandem"]
    ingest = cost_of([*tandem, "ingest", "--root", str(root), "--adapter", "ecommerce", "--path", str(root / "raw")])
    _report_step("ingest", interactions, ingest)
    features = cost_of([*tandem, "features", "--root", str(root)])
    _report_step("features", interactions, features)
    report = json.loads(workspace.ingest_report.read_text())
    if report["events_in"] != report["events_kept"] or report["events_in"] < interactions:
        raise AssertionError(f"A shop of {interactions} interactions gave {report}.")
    return Shop(workspace, interactions, report["events_in"], ingest + features)


def _report_step(name: str, interactions: int, cost: Cost) -> None:
    measured = f"{cost.seconds:.1f} s, {cost.cpu_seconds:.0f} s of CPU, {cost.peak_gb:.1f} GB"
    print(f"  {name} of {interactions:,}: {measured}", flush=True)


def _leave_raw_files(root: Path, interactions: int) -> None:
    from training.engine import connect_duckdb
    from training.ingest.adapters import synthetic
    from training.ingest.adapters.source import SourceOptions

    sizes = {
        "interactions": str(interactions),
        "users": str(int(USERS_PER_EVENT * interactions)),
        "products": str(int(PRODUCTS_PER_EVENT * interactions)),
    }
    synthetic.read(connect_duckdb(), SourceOptions(str(root / "raw"), sizes))


def _report_build(shop: Shop) -> bool:
    budget = BUDGETS.get(shop.interactions, Budget(math.inf, math.inf))
    cost = shop.cost
    print(
        f"ingest + features of {shop.events:,} events ({shop.interactions:,} interactions and their sessions): "
        f"{cost.seconds:.1f} s of {budget.seconds:.0f}, {cost.cpu_seconds:.0f} s of CPU, "
        f"{cost.peak_gb:.1f} GB of {budget.peak_gb:.0f}",
        flush=True,
    )
    return cost.seconds <= budget.seconds and cost.peak_gb <= budget.peak_gb


def _report_growth(small: Shop, large: Shop) -> bool:
    """No faster than n log n, in CPU seconds: what else the machine does matters less to them."""
    grown = large.cost.cpu_seconds / small.cost.cpu_seconds
    allowed = (large.events * math.log(large.events)) / (small.events * math.log(small.events))
    print(
        f"{small.events:,} to {large.events:,} events: {grown:.1f} times the CPU seconds; n log n allows {allowed:.1f}"
    )
    return grown <= allowed


def _report_point_in_time(workspace: Workspace) -> bool:
    kept = []
    for service in (names.QUERY_SERVICE, names.CANDIDATE_SERVICE):
        seconds, cpu = _in_own_process(_join, workspace, service)
        print(
            f"point-in-time set of {POINT_IN_TIME_ROWS:,} rows, {service}: {seconds:.1f} s of "
            f"{POINT_IN_TIME_BUDGET:.0f}, {cpu:.1f} s of CPU",
            flush=True,
        )
        kept.append(seconds <= POINT_IN_TIME_BUDGET)
    return all(kept)


def _join(workspace: Workspace, service: str) -> tuple[float, float]:
    """(seconds, CPU seconds) of random entities at random moments; `features_as_of` counts the rows."""
    from training.feature_store.store import apply_definitions, features_as_of, open_store

    timeline, random = Timeline.read(workspace.timeline), np.random.default_rng(17)
    apply_definitions(workspace)
    key, table = (names.USER_ID, "users") if service == names.QUERY_SERVICE else (names.ITEM_ID, "items")
    ids = np.array(pq.read_table(workspace.ingested(table), columns=[key])[key].to_pylist(), dtype=object)
    chosen = ids[random.integers(len(ids), size=POINT_IN_TIME_ROWS)]
    moments = random.integers(timeline.two_tower_start, timeline.cutoff, POINT_IN_TIME_ROWS)
    return _timed(features_as_of, open_store(workspace), service, key, chosen, moments)


def _report_materialize(workspace: Workspace) -> list[bool]:
    users = pq.read_metadata(workspace.ingested("users")).num_rows
    kept = [_report_store("SQLite", workspace, users)]
    with closing(sqlite3.connect(workspace.feature_repo / "data" / "online.db")) as store:
        sql = f"SELECT count(DISTINCT entity_key) FROM tandem_{names.USER_PROFILE_VIEW}"  # noqa: S608
        _refuse_unless(store.execute(sql).fetchone()[0], users, "SQLite")
    if reason := missing():
        print(f"materialize to Redis was not measured: {reason}", flush=True)
        return [*kept, False]
    server = RedisServer(workspace.root, free_port()).start()
    try:
        path = workspace.feature_repo / "feature_store.yaml"
        online = {"online_store": {"type": "redis", "connection_string": f"127.0.0.1:{server.port}"}}
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | online))
        kept.append(_report_store("Redis", workspace, users))
        with redis.Redis(port=server.port) as client:
            _refuse_unless(client.dbsize(), users, "Redis")
    finally:
        server.kill()
    return kept


def _report_store(name: str, workspace: Workspace, users: int) -> bool:
    seconds, cpu = _in_own_process(_materialize, workspace)
    print(
        f"materialize {users:,} users to {name}: {seconds:.1f} s of {MATERIALIZE_BUDGET:.0f}, {cpu:.1f} s of CPU",
        flush=True,
    )
    return seconds <= MATERIALIZE_BUDGET


def _materialize(workspace: Workspace) -> tuple[float, float]:
    from training.feature_store.store import apply_definitions, materialize_users

    apply_definitions(workspace)
    return _timed(materialize_users, workspace)


def _refuse_unless(found: int, users: int, store: str) -> None:
    if found != users:
        raise AssertionError(f"{users} users went to {store}, {found} are there.")


def _timed(work: Callable[..., Any], *arguments: Any) -> tuple[float, float]:
    started, cpu = time.perf_counter(), time.process_time()
    work(*arguments)
    return time.perf_counter() - started, time.process_time() - cpu


def _in_own_process(work: Callable[..., Result], *arguments: Any) -> Result:
    """The result; what the work held in memory is gone with its process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), keep_libraries_quiet) as pool:
        return pool.submit(work, *arguments).result()


if __name__ == "__main__":
    sys.exit(main())

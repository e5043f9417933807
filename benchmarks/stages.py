"""Where the time of one answer goes: `python -m benchmarks.stages --help`.

The recommender of `make bench` without HTTP: one thread of this process asks for each user, from a real Redis, once one
user after the other and once as many side by side as the server takes together. Stages are as in
tandem_stage_seconds; what is left is between them: scope, history, words, JSON.
"""

from serving.runtime import feast_import  # noqa: F401 - before anything imports Feast

# isort: split
import argparse
import sys
import tempfile
import time
from pathlib import Path

from prometheus_client import CollectorRegistry

from benchmarks.processes import ROOT, hardware
from benchmarks.serving import LIST_LENGTH, PATIENT, USERS_ASKED, bundle_of, online_store
from contracts.api.requests import RecommendationRequest
from contracts.features.names import USER_ID
from serving.__main__ import new_service, warm_up
from serving.metrics import Metrics
from serving.runtime.stage_batching import MOST, stage_batching
from serving.service import Service
from serving.settings import read_settings
from tests.support.real_parts.redis_server import missing


def ask_for_each(service: Service, users: int, together: int = 1) -> float:
    """CPU milliseconds of this thread per answer, JSON included."""
    started = time.thread_time()
    for first in range(0, users, together):
        requests = [
            RecommendationRequest(user_id=f"{USER_ID}-{user}", n=LIST_LENGTH)
            for user in range(first, min(first + together, users))
        ]
        for answer in stage_batching([service.recommender.steps(request) for request in requests]):
            if isinstance(answer, Exception):
                raise answer
            answer.model_dump_json()
    return (time.thread_time() - started) * 1000 / users


def stages(registry: CollectorRegistry) -> dict[str, tuple[float, float]]:
    """(seconds, times) so far by stage."""
    (family,) = (metric for metric in registry.collect() if metric.name == "tandem_stage_seconds")
    of = {(sample.name.rpartition("_")[2], sample.labels["stage"]): sample.value for sample in family.samples}
    return {stage: (of["sum", stage], of["count", stage]) for kind, stage in of if kind == "sum"}


def report(service: Service, users: int, rounds: int, together: int) -> None:
    """Prints the round that cost least: the one that other work on the machine disturbed least."""
    measured = []
    for _ in range(rounds):
        before = stages(service.metrics.registry)
        cpu_ms = ask_for_each(service, users, together)
        after = stages(service.metrics.registry)
        grown = {stage: (s - before.get(stage, (0, 0))[0]) * 1000 / users for stage, (s, _) in after.items()}
        measured.append((cpu_ms, grown))
    cpu_ms, by_stage = min(measured, key=lambda one: one[0])
    print(f"{f'CPU per answer, {together} together':<28} {cpu_ms:.3f} ms")
    for stage, milliseconds in sorted(by_stage.items(), key=lambda one: -one[1]):
        print(f"  {stage:<26} {milliseconds:.3f} ms elapsed")


def main() -> int:
    """Exit code 2 without Redis."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--port", type=int, default=8092, help="of the Redis")
    parser.add_argument("--folder", type=Path, default=ROOT / "data" / "bench", help="where built bundles are kept")
    options = parser.parse_args()
    if reason := missing():
        print(f"Stages are measured with a real Redis: {reason}.", file=sys.stderr)
        return 2
    bundle = bundle_of(options.folder, options.users, options.items)
    with (
        tempfile.TemporaryDirectory() as folder,
        online_store(Path(folder), options.port, options.users, options.items) as repo,
    ):
        log = Path(folder) / "impressions.jsonl"
        settings = read_settings(bundle_dir=str(bundle), feature_repo=repo, clock="data", impression_log=log, **PATIENT)
        service = new_service(settings, Metrics(CollectorRegistry()))
        users = min(USERS_ASKED, options.users)
        service.worker.submit(warm_up, service).result()
        service.worker.submit(ask_for_each, service, users).result()
        print(hardware())
        for together in (1, MOST):
            service.worker.submit(report, service, users, options.rounds, together).result()
    return 0


if __name__ == "__main__":
    sys.exit(main())

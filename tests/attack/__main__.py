"""`python -m tests.attack ROOT`: every attack on a real server of the workspace ROOT, one line each.

Exit code 1 where an input was answered with a server error, where the honest client was, where the server ended, or
where an event was lost.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from contracts.errors import TandemError
from tests.attack.attacks import ATTACKS, Attack
from tests.attack.cgroup import LIMIT_BYTES, memory_group
from tests.attack.fuzz import PATHS, fuzz_grpc, fuzz_http
from tests.attack.honest import Honest
from tests.attack.kills import killed_in_redis, killed_in_sqlite
from tests.attack.sending import Outcome
from tests.attack.server import HONEST_KEY, Attacked, attacked
from tests.support.real_parts.redis_server import missing

KILLS = {"kill -9, SQLite": killed_in_sqlite, "kill -9, Redis": killed_in_redis}


def main(arguments: Sequence[str]) -> int:
    """Prints inputs, failures, latency of an honest client, and the peak of the server's memory."""
    options = _parser().parse_args(arguments)
    try:
        with TemporaryDirectory() as name:
            failures = _requests(options, Path(name)) if options.times or options.fuzzed else 0
            failures += _kills(options, Path(name)) if options.kills else 0
    except TandemError as error:
        _say(f"{root(options)} cannot be attacked: {error}")
        return 1
    return int(failures > 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument("root", type=Path, help="workspace with a bundle and an online store")
    parser.add_argument("--times", type=int, default=1, help="repetitions of each attack; 0: none")
    parser.add_argument("--fuzzed", type=int, default=800, help="random requests over v1, v2, REST and gRPC")
    parser.add_argument("--kills", type=int, default=0, help="times that the server is killed, with either event log")
    parser.add_argument("--events", type=int, default=10_000, help="events that are posted for each of them")
    return parser


def _requests(options: argparse.Namespace, folder: Path) -> int:
    attacks: dict[str, Callable[[Attacked], Outcome]] = {}
    if options.times:
        attacks |= {name: _repeated(attack, options.times) for name, attack in ATTACKS.items()}
    if each := options.fuzzed // (len(PATHS) + 1):
        attacks |= {f"fuzzed {name}": partial(fuzz_http, protocol=name, count=each) for name in PATHS}
        attacks["fuzzed gRPC"] = partial(fuzz_grpc, count=each)
    with memory_group(f"tandem-attack-{os.getpid()}") as group:
        if group is None:
            _say("no control group can be made here: the server's memory is measured and has no limit")
        with attacked(root(options), f"sqlite:///{folder}/events.db", folder, group) as server:
            limit = f" of {LIMIT_BYTES >> 20:,} MB" if group else ""
            _say(f"{'before':24} {server.memory()}{limit}")
            return sum(_line(name, server, attack) for name, attack in attacks.items())


def _repeated(attack: Attack, times: int) -> Callable[[Attacked], Outcome]:
    return lambda server: attack(server, times)


def root(options: argparse.Namespace) -> Path:
    """The workspace."""
    given: Path = options.root
    return given.resolve()


def _line(name: str, server: Attacked, attack: Callable[[Attacked], Outcome]) -> int:
    with Honest(server.url, HONEST_KEY) as honest:
        outcome = attack(server)
    if not server.is_running:
        _say(f"{name:24} the server ended with {server.process.returncode}")
        return 1
    _say(f"{name:24} {outcome.inputs:>7,} inputs, {outcome.failures} failures; {honest}; {server.memory()}")
    return outcome.failures + honest.failures


def _kills(options: argparse.Namespace, folder: Path) -> int:
    failures = 0
    for name, attack in KILLS.items():
        if attack is killed_in_redis and (why := missing()):
            _say(f"{name:24} left out: {why}")
            continue
        (folder / name).mkdir()
        done = attack(root(options), folder / name, options.kills, options.events)
        _say(
            f"{name:24} {options.kills} kills, {done.sent:,} events sent, {done.acknowledged:,} acknowledged, "
            f"{done.lost} lost, {done.doubled} twice"
        )
        failures += done.lost + done.doubled + (done.acknowledged != options.kills * options.events)
    return failures


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

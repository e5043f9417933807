"""`python -m tests.attack ROOT [TIMES]`: every attack on a real server of the workspace ROOT, one line each.

Exit code 1 where an input was answered with a server error, where the honest client was, or where the server ended.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.attack.attacks import ATTACKS
from tests.attack.honest import Honest
from tests.attack.server import attacked


def main(root: Path, times: int) -> int:
    """Prints inputs, failures, worst latency of an honest client, and the peak of the server's memory."""
    failures = 0
    with TemporaryDirectory() as folder, attacked(root, f"sqlite:///{folder}/events.db") as server:
        sys.stdout.write(f"{'before':24} {'':>20} {'':>30} peak {server.peak_mb():,} MB\n")
        for name, attack in ATTACKS.items():
            with Honest(server.url) as honest:
                outcome = attack(server, times)
            failures += outcome.failures + honest.failures + (not server.is_running)
            sys.stdout.write(
                f"{name:24} {outcome.inputs:>7,} inputs, {outcome.failures} failures; honest client: "
                f"{honest.answers:,} answers, {honest.failures} failures, worst {honest.worst_seconds * 1000:.0f} ms; "
                f"peak {server.peak_mb():,} MB\n"
            )
            sys.stdout.flush()
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1))

"""Quality beside the peers: `python -m benchmarks.quality --data gowalla`."""

import argparse
import sys
from functools import partial
from pathlib import Path

from benchmarks.quality.contest import Outcome, Read, outcome
from benchmarks.quality.entrants import ENTRANTS, OURS
from benchmarks.quality.sets import READERS, benchmark_folder
from benchmarks.quality.table import lines, verdicts
from contracts.errors import MissingArtifact


def main() -> None:
    """Prints one table a data set; sets whose files are not here are skipped with a message."""
    arguments = _parser().parse_args()
    folder = Path(arguments.folder) if arguments.folder else benchmark_folder()
    for name in arguments.data or READERS:
        read = partial(READERS[name], folder)
        try:
            outcomes = contest(name, read, arguments.only, smoke=arguments.smoke)
        except MissingArtifact as error:
            print(f"{name} is skipped: {error}", file=sys.stderr)
            continue
        print("\n".join(lines(read(), outcomes)))
        ours = [one for one in outcomes if one.name == OURS]
        print("\n".join(line for one in ours for line in verdicts(read(), one)), flush=True)


def contest(name: str, read: Read, only: list[str], *, smoke: bool) -> list[Outcome]:
    """Outcomes of the set's entrants, or of those that are asked for, in the order of the table."""
    read().test()  # a set that is not here is said so before anything is trained
    chosen = [entrant for entrant in ENTRANTS[name] if not only or entrant.name in only]
    return [outcome(read, entrant, smoke=smoke) for entrant in chosen]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--data", nargs="*", choices=sorted(READERS), help="sets to run; all when left out")
    parser.add_argument("--only", nargs="*", default=[], help="names of entrants, as the table prints them")
    parser.add_argument("--folder", help="where the public splits lie (default: TANDEM_BENCHMARKS)")
    parser.add_argument("--smoke", action="store_true", help="2,000 users and one choice each: whether it runs")
    return parser


if __name__ == "__main__":
    main()

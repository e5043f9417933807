"""Our lists compared with the peers': `python -m benchmarks.quality --data gowalla`."""

import argparse
import json
import sys
import time
from functools import partial
from pathlib import Path

from benchmarks.quality.contest import Outcome, Read, outcomes
from benchmarks.quality.entrants import ENTRANTS, FINAL_LIST, OURS
from benchmarks.quality.sets import READERS, Places, benchmark_folder, read
from benchmarks.quality.table import (
    differences,
    discoveries_table,
    figures,
    header,
    oracle_shares,
    published_rows,
    row,
    slices_table,
    verdicts,
)
from contracts.errors import MissingArtifact


def main() -> None:
    """Prints one table a data set; sets whose files are not here are skipped with a message."""
    arguments = _parser().parse_args()
    folder = Path(arguments.folder) if arguments.folder else benchmark_folder()
    places = Places(folder, Path(arguments.root), arguments.smoke)
    names = arguments.data or list(READERS)
    there = {entrant.name for name in names for entrant in ENTRANTS[name]}
    if unknown := [one for one in arguments.only if one not in there]:
        raise SystemExit(
            f"--only {', '.join(map(repr, unknown))}: of these sets there is {', '.join(map(repr, sorted(there)))}."
        )
    for name in names:
        try:
            measured = contest(name, partial(read, name, places), arguments.only, smoke=arguments.smoke)
        except MissingArtifact as error:
            print(f"{name} is skipped: {error}", file=sys.stderr)
            continue
        if arguments.json:
            Path(arguments.json).mkdir(parents=True, exist_ok=True)
            (Path(arguments.json) / f"{name}.json").write_text(json.dumps(measured, indent=1) + "\n")


def contest(name: str, reader: Read, only: list[str], *, smoke: bool) -> dict[str, dict[str, float]]:
    """Prints the set's entrants, or those that are asked for, each as soon as it is measured; trials go to stderr.

    Returns the figures by entrant.
    """
    started, data = time.perf_counter(), reader()
    data.test()  # a set that is not here is said so before anything is trained
    print(header(data), flush=True)
    claims, table = list[str](), list[Outcome]()
    asked = [entrant for entrant in ENTRANTS[name] if not only or entrant.name in only]
    for measured in outcomes(reader, asked, smoke=smoke):
        table.append(measured)
        print(row(measured), flush=True)
        claims += verdicts(data, measured) if measured.name in (OURS, FINAL_LIST.name) and not smoke else []
    sliced = [] if smoke else slices_table(data, table)
    less = [] if smoke else [*differences(data, table), "", *discoveries_table(data, table), ""]
    shares = [] if smoke else oracle_shares(data, table)
    took = f"{data.title}: {time.perf_counter() - started:.0f} s in all"
    print("\n".join([*published_rows(data), "", *less, *sliced, *claims, *shares, took]), flush=True)
    return figures(data, table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--data", nargs="*", choices=sorted(READERS), help="sets to run; all when left out")
    parser.add_argument("--only", nargs="*", default=[], help="names of entrants, as the table prints them")
    parser.add_argument("--folder", help="where the public splits lie (default: TANDEM_BENCHMARKS)")
    parser.add_argument("--root", default=".", help="workspace of the pipeline, for the sets that it has trained on")
    parser.add_argument("--json", help="a folder for the figures of each set, which `scripts/figures --record` reads")
    parser.add_argument("--smoke", action="store_true", help="2,000 users and one choice each: whether it runs")
    return parser


if __name__ == "__main__":
    main()

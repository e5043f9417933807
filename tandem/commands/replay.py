"""What a change does to lists that were asked for, before anybody is shown them."""

from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from contracts.errors import InvalidInput
from tandem.commands.options import HERE, OPERATION, BundleOption, Root, open_project
from tandem.console import console

if TYPE_CHECKING:
    from monitoring.replay.effect import Answers, Effect
    from monitoring.replay.thresholds import Held
    from training.workspace import Workspace

app = typer.Typer()
Rules = Annotated[Path | None, typer.Option(help="Business rules of that side; default: none.")]


class Exit(IntEnum):
    """Exit codes of a replay, for workflows; 2 is an error, as everywhere."""

    HOLDS = 0
    BROKEN = 3


@app.command(rich_help_panel=OPERATION)
def replay(
    requests: Annotated[
        Path | None, typer.Option(help="Impression log, sample or requests, JSON lines; default: the project's log.")
    ] = None,
    champion: Annotated[str, typer.Option(help="What serves: a version below bundles/, a folder, or `current`.")] = "",
    challenger: Annotated[str, typer.Option(help="What is to serve, named alike.")] = "",
    champion_answers: Annotated[
        Path | None, typer.Option(help="Lists that another checkout recorded, instead of --champion.")
    ] = None,
    champion_rules: Rules = None,
    challenger_rules: Rules = None,
    record: Annotated[Path | None, typer.Option(help="Write the challenger's lists here and compare nothing.")] = None,
    thresholds: Annotated[
        Path | None, typer.Option(help="YAML file of what may change; monitoring/replay/thresholds.py has the keys.")
    ] = None,
    comment: Annotated[Path | None, typer.Option(help="Write the effect here as Markdown.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the effect here as JSON.")] = None,
    k: Annotated[int, typer.Option(min=1, max=100, help="Places that overlap@k looks at.")] = 10,
    limit: Annotated[int, typer.Option(min=1, help="Replay at most this many of the latest requests.")] = 1000,
    at: Annotated[
        float | None, typer.Option(help="Unix seconds that the clock stands at; default: end of data.")
    ] = None,
    root: Root = HERE,
) -> None:
    """Who would get another list, and how different: the same requests through two bundles, or versions of the code.

    For two versions of the code record with the one, `--record`, and compare with the other, `--champion-answers`.
    On the same inputs the same result, but for times. Ends with 0: every threshold holds, 3: one does not, 2: error.

    Example: tandem replay --requests data/impressions.jsonl --champion current --challenger 3f4a0503dde1
    """
    from monitoring.replay.comment import comment as markdown
    from monitoring.replay.effect import effect_of
    from monitoring.replay.thresholds import held, load_thresholds
    from tandem.replay import Answering, moment_of, read_answers, replayed, requests_of, write_answers

    limits = load_thresholds(thresholds)
    workspace = open_project(root).workspace
    sides = _sides(champion, challenger, compares=record is None and champion_answers is None)
    bundles = [_bundle(workspace, side) for side in sides]
    known = read_answers(champion_answers) if champion_answers else None
    moment = at if at is not None else known.header.moment if known else moment_of(bundles)
    asked = requests_of(workspace, requests or workspace.impression_log, limit, moment)
    rules = (champion_rules, challenger_rules)[-len(bundles) :]
    answers = replayed([Answering(*side) for side in zip(bundles, rules, strict=True)], asked, moment)
    if record:
        write_answers(record, answers[-1])
        console.print(f"  {len(answers[-1].lists):,} lists in {record}", highlight=False, soft_wrap=True)
        return
    before, after = known or answers[0], answers[-1]
    effect = effect_of(before, after, k)
    verdicts = held(effect, limits, before.latency(), after.latency())
    _write(json_file, effect.model_dump_json(indent=2) + "\n")
    _write(comment, markdown(effect, verdicts, before.latency(), after.latency()))
    _print(effect, verdicts, after)
    if not all(one.holds for one in verdicts):
        raise typer.Exit(Exit.BROKEN)


@app.command("sample-requests", rich_help_panel=OPERATION)
def sample_requests(
    out: Annotated[Path, typer.Argument(help="File to write, JSON lines.")],
    requests: Annotated[
        Path | None, typer.Option(help="Impression log to draw from; default: made-up requests.")
    ] = None,
    bundle: BundleOption = "current",
    count: Annotated[int, typer.Option(min=1, help="Requests to write.")] = 500,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same requests.")] = 17,
    bare: Annotated[
        bool, typer.Option(help="Keep users' ids and leave the features to the store of the project that replays.")
    ] = False,
    root: Root = HERE,
) -> None:
    """Write requests that another machine can replay: users have other names, and bring their features along.

    What users bought is in the file, so keep it as you keep the log. Without --requests they are made up: a list for
    the home page for users of the bundle, and one in ten for a user of whom nothing is known.

    Example: tandem sample-requests sample.jsonl --requests data/impressions.jsonl --count 500
    """
    from serving.replay.sample import sampled, write_bare, write_sample
    from tandem.replay import made_up_requests, moment_of, requests_of

    workspace = open_project(root).workspace
    folder = _bundle(workspace, bundle)
    moment = moment_of([folder])
    if requests:
        drawn = requests_of(workspace, requests, None, moment)
    else:
        drawn = made_up_requests(workspace, folder, count, seed, moment)
    if bare:
        written = write_bare(out, [one.request for one in drawn.sent[:count]])
    else:
        written = write_sample(out, sampled(drawn.sent, count, seed))
    console.print(f"  {written:,} requests of {len(drawn.sent):,} in {out}", highlight=False, soft_wrap=True)


def _sides(champion: str, challenger: str, *, compares: bool) -> list[str]:
    """The bundles that answer here, the challenger last. Raises InvalidInput where the options name too few or many."""
    if not challenger:
        raise InvalidInput("name the bundle that is to serve by --challenger, such as --challenger current")
    if compares and not champion:
        raise InvalidInput("name what serves now by --champion, or give its lists by --champion-answers")
    if champion and not compares:
        raise InvalidInput("--champion has no part in --record or --champion-answers: leave it out")
    return [champion, challenger] if compares else [challenger]


def _bundle(workspace: "Workspace", named: str) -> Path:
    """Its folder: a path with a separator is one, everything else lies below bundles/."""
    return Path(named) if "/" in named else workspace.bundles / named


def _write(path: Path | None, text: str) -> None:
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _print(effect: "Effect", verdicts: "list[Held]", after: "Answers") -> None:
    change, seconds = effect.change, sum(one.seconds for one in after.lists)
    console.print(
        f"{effect.compared:,} lists of {change.users:,} users compared, {effect.refused:,} refused, {effect.skipped:,} "
        f"skipped (later pages); the challenger made {len(after.lists) / max(seconds, 1e-9):,.0f} lists a second\n"
        f"users who get another list: {change.changed_users:,}; lists that change: {change.changed_lists:,}; mean "
        f"overlap@{effect.k} {change.overlap:.3f}, rank-biased overlap {change.rbo:.3f}",
        highlight=False,
        soft_wrap=True,
    )
    broken = [one for one in verdicts if not one.holds]
    for one in broken:
        console.print(Text("does not hold:", "red"), one.sentence(), highlight=False, soft_wrap=True)
    if not broken:
        console.print(Text("holds:", "green"), f"all {len(verdicts)} thresholds", highlight=False)

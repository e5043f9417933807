"""The same requests through two bundles, or through one bundle and a file of lists that another checkout recorded."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from contracts.api.replays import ReplayedList, ReplayHeader, ReplayPart
from contracts.bundle.files import VOCABULARIES
from contracts.bundle.manifest import read_manifest
from contracts.errors import InvalidInput, MissingArtifact, faults_of
from monitoring.replay.effect import Answers
from tandem.sandbox import recommender_over
from training.workspace import Workspace

if TYPE_CHECKING:
    from serving.bundles.bundle import LoadedBundle
    from serving.replay.lists import Replayer
    from serving.replay.requests import Requests


Line = TypeVar("Line", bound=ReplayPart)


@dataclass(frozen=True)
class Answering:
    """One side that answers here."""

    bundle: Path
    rules: Path | None = None


def replayed(sides: Sequence[Answering], requests: "Requests", moment: float) -> list[Answers]:
    """Each side's lists, made one request after the other, so that both sides see the same machine.

    moment: Unix seconds that all clocks stand at.
    Raises TandemError where a bundle or its rules cannot be used.
    """
    from serving.bundles.bundle import load_bundle

    loaded = [load_bundle(side.bundle) for side in sides]
    answering = [_replayer(bundle, side, moment) for bundle, side in zip(loaded, sides, strict=True)]
    lists: list[list[ReplayedList]] = [[] for _ in sides]
    for sent in requests.sent:
        order = range(len(sides)) if sent.number % 2 else reversed(range(len(sides)))
        for side in order:  # in turn the first one: who comes second finds memory warm
            lists[side].append(answering[side].answer(sent))
    digest = requests.sha256()
    return [
        Answers(
            ReplayHeader(
                bundle_version=bundle.manifest.bundle_version,
                num_items=bundle.manifest.num_items,
                moment=moment,
                requests_sha256=digest,
                skipped=requests.skipped,
            ),
            of_side,
        )
        for bundle, of_side in zip(loaded, lists, strict=True)
    ]


def moment_of(bundles: Sequence[Path]) -> float:
    """The latest end of data among bundles, Unix seconds. Raises MissingArtifact or BundleRefused."""
    return max(read_manifest(bundle).data_end_timestamp for bundle in bundles)


def _replayer(bundle: "LoadedBundle", side: Answering, moment: float) -> "Replayer":
    from serving.replay.lists import GivenFeatures, Replayer
    from serving.runtime.clock import frozen_clock

    features = GivenFeatures()
    return Replayer(recommender_over(bundle, features, frozen_clock(moment), side.rules), bundle, features)


def requests_of(workspace: Workspace, path: Path, limit: int | None, moment: float) -> "Requests":
    """The requests of a file; features that it does not bring come from the project's online store, as of moment."""
    from serving.features.lookup import FeastLookup
    from serving.replay.requests import read_requests

    return read_requests(path, limit, lambda: FeastLookup(workspace.feature_repo, lambda: moment))


def write_answers(path: Path, answers: Answers) -> None:
    """Writes the header and one line a list, for a replay against another checkout."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [answers.header.model_dump_json(), *(one.model_dump_json(exclude_defaults=True) for one in answers.lists)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_answers(path: Path) -> Answers:
    """What `write_answers` wrote. Raises MissingArtifact without the file, InvalidInput naming a faulty line."""
    if not path.is_file():
        raise MissingArtifact(f"There is no file of lists {path}. `tandem replay --record {path}` writes one.")
    first, *lines = path.read_bytes().splitlines() or [b""]
    header = _line(path, 1, first, ReplayHeader)
    return Answers(header, [_line(path, number, line, ReplayedList) for number, line in enumerate(lines, start=2)])


def _line(path: Path, number: int, line: bytes, kind: type[Line]) -> Line:
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        faults = "; ".join(faults_of(error, "line", of=kind))
        raise InvalidInput(f"{path}, line {number}, was not written by `tandem replay --record`: {faults}") from error


def made_up_requests(workspace: Workspace, bundle: Path, count: int, seed: int, moment: float) -> "Requests":
    """Requests by users that a bundle knows, with their features, for where no traffic was recorded yet."""
    from contracts.features.names import USER_ID
    from contracts.features.vocabulary import vocabularies_from_json
    from serving.features.lookup import FeastLookup
    from serving.replay.requests import Requests, with_users
    from serving.replay.sample import made_up

    users = vocabularies_from_json(json.loads((bundle / VOCABULARIES).read_text()))[USER_ID].terms
    lookup = FeastLookup(workspace.feature_repo, lambda: moment)
    return Requests(list(with_users(made_up(users, count, seed), lambda: lookup)), 0)

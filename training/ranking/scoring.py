"""Candidates in the order of an exported ranker, by the runtime that serves it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from contracts.arrays import Floats, Rows
from contracts.bundle.files import RANKER
from contracts.ranking.candidates import Shortlist
from training.workspace import Workspace, require


def rank_with_scores(candidates: Sequence[Shortlist], ranker: Path) -> list[tuple[Rows, Floats]]:
    """(rows, scores) of each user's candidates, best first by the ranker that was exported to a folder."""
    ordered = []
    for one, scores in zip(candidates, exported_scores(candidates, ranker), strict=True):
        order = np.argsort(-scores, kind="stable")
        ordered.append((one.rows[order], scores[order]))
    return ordered


def ranker_of_unseen(workspace: Workspace) -> Path:
    """The folder of the ranker of lists that leave out what the user had."""
    return workspace.unseen_ranker if (workspace.unseen_ranker / RANKER).exists() else workspace.ranker


def exported_scores(candidates: Sequence[Shortlist], ranker: Path) -> list[Floats]:
    """[k_i] scores of each user's candidates in their order, by the ranker that was exported to a folder.

    A ranker without neighbours reads the first columns: the neighbours' are the last ones. A user who has had the whole
    catalogue has no candidates for a list without it; no exported ranker takes an empty list.

    Raises MissingArtifact where there is no ranker.
    """
    session = onnxruntime.InferenceSession(str(require(ranker / RANKER, "tandem train-ranker")))
    read = session.get_inputs()[0]

    def scores(inputs: Floats) -> Floats:
        given: Floats = session.run(None, {read.name: inputs[np.newaxis, :, : read.shape[-1]]})[0][0]
        return given

    return [scores(one.inputs) if len(one.rows) else np.zeros(0, np.float32) for one in candidates]

"""A bundle of models trained on fewer weeks: it serves until the whole training and its evaluation have ended.

It is measured on the test window alone, so the page has figures to compare.
"""

from pathlib import Path

from training.evaluation.measure import measured
from training.release.bundle import sealed_bundle
from training.release.interim_card import FEW_USERS, interim_cards
from training.settings import Settings
from training.workspace import Workspace

WORDS = "Trained on fewer weeks than params.yaml asks for. It serves until the whole training has ended."


def interim_bundle(workspace: Workspace, settings: Settings, counted_ranker: Path | None = None) -> Path:
    """The folder of a bundle of the workspace's trained towers and ranker.

    counted_ranker: folder with the ranker of a counted bundle, which is measured on the same candidates.
    """
    metrics = measured(workspace, settings, counted_ranker)
    return sealed_bundle(workspace, settings, metrics, interim_cards(WORDS), reference_users=FEW_USERS)

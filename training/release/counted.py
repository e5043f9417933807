"""A bundle from counts alone: it serves seconds after ingest, until models are trained.

It holds the same contract as a trained one and answers the same requests.
"""

from pathlib import Path

from training.dataset.dataset import Dataset
from training.ranking.frequency_ranker import export_frequency_ranker
from training.release.bundle import sealed_bundle
from training.release.interim_card import FEW_USERS, interim_cards
from training.retrieval.title_towers import write_title_towers
from training.settings import Settings
from training.workspace import Workspace

WORDS = "Own purchases, fading with time, and what is popular; nothing is learned. It serves until models are trained."


def counted_bundle(workspace: Workspace, settings: Settings) -> Path:
    """The bundle's folder. Needs the dataset as of the end of the data, and no training."""
    dataset = Dataset(workspace)
    write_title_towers(dataset, workspace.towers)
    users = len(dataset.moment(dataset.timeline.data_end).user_ids)
    export_frequency_ranker(users, workspace.ranker, engagements=dataset.has_engagements)
    return sealed_bundle(workspace, settings, {}, interim_cards(WORDS), reference_users=FEW_USERS)

"""Each encoder of the query tower: what it must not read, and its export against TensorFlow."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from contracts.bundle.files import CANDIDATE_TOWER, QUERY_TOWER
from contracts.features import encoding, names
from contracts.features.text import TEXT_DIM
from training.keras2 import keras, tf
from training.retrieval.encoders import AGE_BUCKETS, new_encoder
from training.retrieval.export import export_towers
from training.retrieval.fit import Towers, TwoTowerModel
from training.retrieval.towers import CandidateTower, QueryTower, new_item_encoder
from training.settings import Encoder, TwoTowerSettings

pytestmark = pytest.mark.tf
NUM_ITEMS, NUM_USERS, ROWS = 40, 6, 5
CHOICES = [  # the mean with side features is the default, which test_two_tower.py exports; test_recipes.py, a bias
    {"encoder": Encoder.MEAN, "side_features": False},
    {"encoder": Encoder.GRU, "profile_codes": 1, "content_codes": 1},  # a source without profiles and content
    {"encoder": Encoder.ATTENTION, "encoder_blocks": 1},
]


def towers_of(profile_codes: int = 3, content_codes: int = 4, **choice: Any) -> Towers:
    """Small towers with random weights, statistics and content."""
    settings = TwoTowerSettings(**{"embedding_dim": 16, "hidden_units": (8,), **choice})
    keras.utils.set_random_seed(3)
    random = np.random.default_rng(3)
    content = random.integers(0, content_codes, (NUM_ITEMS, len(names.ITEM_CONTENT))).astype(np.int32)
    encoder = new_item_encoder(NUM_ITEMS, [content_codes] * len(names.ITEM_CONTENT), settings)
    users = random.random((NUM_USERS, len(names.USER_STATISTICS))).astype(np.float32)
    items = random.random((NUM_ITEMS, len(names.ITEM_STATISTICS))).astype(np.float32)
    query = QueryTower(encoder, content, users, NUM_USERS, [profile_codes] * len(names.USER_PROFILE), settings)
    model = TwoTowerModel(query, CandidateTower(encoder, items, settings), settings)
    text = random.random((NUM_ITEMS, TEXT_DIM)).astype(np.float32)
    return Towers(model, content, text, np.arange(1, NUM_ITEMS + 1, dtype=np.int32), tf.distribute.get_strategy())


def queries(profile_codes: int = 3) -> encoding.Inputs:
    """Users with sequences of every length, the first without one."""
    random = np.random.default_rng(4)
    shape = (ROWS, names.SEQUENCE_LENGTH)
    present = np.arange(names.SEQUENCE_LENGTH) < np.array([[0], [1], [3], [20], [names.SEQUENCE_LENGTH]])
    return {
        encoding.USER: np.arange(ROWS, dtype=np.int32),
        encoding.PROFILE: random.integers(0, profile_codes, (ROWS, len(names.USER_PROFILE))).astype(np.int32),
        encoding.STATISTICS: random.random((ROWS, len(names.USER_STATISTICS))).astype(np.float32),
        encoding.SEQUENCE: np.where(present, random.integers(1, NUM_ITEMS, shape), 0).astype(np.int32),
        encoding.SEQUENCE_TYPES: np.where(present, random.integers(1, 6, shape), 0).astype(np.int32),
        encoding.SEQUENCE_DAYS: np.where(present, random.random(shape) * 4000, 0).astype(np.float32),
        encoding.HOUR: np.arange(ROWS, dtype=np.int32),
        encoding.WEEKDAY: np.arange(ROWS, dtype=np.int32),
    }


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_every_choice_answers_the_same_in_tensorflow_and_onnx_runtime(choice: dict[str, Any], tmp_path: Path) -> None:
    towers = towers_of(**choice)
    export_towers(towers, tmp_path)  # raises where ONNX Runtime does not run it
    users = queries(choice.get("profile_codes", 3))
    (found,) = onnxruntime.InferenceSession(str(tmp_path / QUERY_TOWER)).run(None, users)
    assert found.shape == (ROWS, 16)
    assert np.abs(found - towers.embed_queries(users)).max() < 1e-5
    statistics = np.ones((NUM_ITEMS, len(names.ITEM_STATISTICS)), np.float32)
    inputs = {
        encoding.ITEM: towers.known_items,
        encoding.CONTENT: towers.content,
        encoding.ITEM_STATISTICS_INPUT: statistics,
        encoding.TEXT: towers.text,
    }
    (found,) = onnxruntime.InferenceSession(str(tmp_path / CANDIDATE_TOWER)).run(None, inputs)
    assert np.abs(found - towers.embed_items(statistics)).max() < 1e-5


def test_a_bias_adds_to_an_items_score_for_everybody() -> None:
    towers = towers_of(side_features=False, item_bias=True)
    statistics = np.zeros((NUM_ITEMS, len(names.ITEM_STATISTICS)), np.float32)
    before = towers.embed_queries(queries()) @ towers.embed_items(statistics).T
    bias = towers.model.candidate_tower.bias.embeddings
    bias.assign(0.5 * np.eye(NUM_ITEMS + 1, dtype=np.float32)[:, [3]])  # of the item in row 2
    gained = towers.embed_queries(queries()) @ towers.embed_items(statistics).T - before
    np.testing.assert_allclose(gained, np.tile(0.5 * np.eye(NUM_ITEMS)[2], (ROWS, 1)), atol=1e-6)


@pytest.mark.parametrize("kind", list(Encoder))
def test_what_lies_behind_a_sequence_is_not_read(kind: Encoder) -> None:
    encoder = new_encoder(8, TwoTowerSettings(encoder=kind))
    random = np.random.default_rng(5)
    items = random.normal(size=(2, 6, 8)).astype(np.float32)
    items[1, :3] = items[0, :3]  # the same three items, and other vectors behind them
    types, days = np.ones((2, 6), np.int32), np.zeros((2, 6), np.float32)
    present = np.array([[1, 1, 1, 0, 0, 0]] * 2, np.float32)
    first, second = encoder(items, types, days, present).numpy()
    np.testing.assert_allclose(first, second, atol=1e-5)


@pytest.mark.parametrize("kind", list(Encoder))
def test_a_user_without_events_is_zeros(kind: Encoder) -> None:
    encoder = new_encoder(8, TwoTowerSettings(encoder=kind))
    nothing = np.zeros((1, 6), np.float32)
    vector = encoder(np.ones((1, 6, 8), np.float32), nothing.astype(np.int32), nothing, nothing).numpy()
    assert (vector == 0).all()


@pytest.mark.parametrize("kind", [Encoder.GRU, Encoder.ATTENTION])
def test_order_type_and_age_can_matter(kind: Encoder) -> None:
    encoder = new_encoder(8, TwoTowerSettings(encoder=kind))
    items = np.random.default_rng(6).normal(size=(1, 4, 8)).astype(np.float32)
    types, days, present = np.ones((1, 4), np.int32), np.full((1, 4), 9, np.float32), np.ones((1, 4), np.float32)
    plain = encoder(items, types, days, present).numpy()
    assert not np.allclose(plain, encoder(items[:, ::-1], types, days, present).numpy(), atol=1e-4)
    encoder.inputs.types.set_weights([np.random.default_rng(7).normal(size=(len(names.SEQUENCE_TYPES) + 1, 8))])
    by_type = encoder(items, types, days, present).numpy()
    assert not np.allclose(plain, by_type, atol=1e-4)
    encoder.inputs.ages.set_weights([np.random.default_rng(8).normal(size=(AGE_BUCKETS, 8))])
    assert not np.allclose(by_type, encoder(items, types, days, present).numpy(), atol=1e-4)
    very_old = np.full((1, 4), 1e9, np.float32)  # beyond the last bucket
    assert np.isfinite(encoder(items, types, very_old, present).numpy()).all()

"""Parameters of the pipeline: every section of params.yaml with its defaults; params_file.py reads them."""

import os
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from contracts.events.schema import EventType


class Engine(StrEnum):
    """Where Ibis expressions run."""

    DUCKDB = "duckdb"
    SPARK = "spark"


class Copies(StrEnum):
    """What becomes of rows without an id of their own that repeat another one in everything."""

    DROP = "drop"  # for exports that overlap
    KEEP = "keep"  # for tills that write a line for each unit


class Encoder(StrEnum):
    """How the query tower reads the user's latest events."""

    MEAN = "mean"
    GRU = "gru"
    ATTENTION = "attention"


class Loss(StrEnum):
    """What the towers' softmax runs over."""

    SAMPLED = "sampled"  # other rows' candidates, and some drawn evenly
    FULL = "full"  # the whole catalogue


class Recipe(StrEnum):
    """The kinds of towers (training/retrieval/recipes.py)."""

    AUTO = "auto"  # the simplest that no other one beats on validation
    CONTENT = "content"  # content, profile and statistics, with ids that are mostly hidden
    CONTENT_AND_IDS = "content+ids"  # joined with towers of ids and sequences alone


class Optimizer(StrEnum):
    """How the towers learn."""

    ADAGRAD = "adagrad"
    ADAM = "adam"  # with the full softmax its learning rate falls along half a cosine


@dataclass(frozen=True)
class DuckDBSettings:
    """What the embedded engine may use of the machine."""

    memory_gb: float = 6.0  # memory before DuckDB spills to disk; the rest of the process comes on top
    spill_folder: str = (
        ""  # a folder on a disk with room, not in memory; empty: the system's folder for temporary files
    )
    threads: int = 0  # 0 uses all cores


@dataclass(frozen=True)
class IngestSettings:
    """How raw data becomes events."""

    adapter: str = "complete-journey"  # name of a module in training/adapters
    path: str = ""  # folder or URL of the raw files, for adapters that read any
    mapping: str = ""  # YAML file with the names of files and columns, see docs/how-to/your-data.md
    max_users: int = 0  # take the first max_users users by id, for a quick trial; 0 takes all
    max_dropped_share: float = 0.05  # more dropped rows than this stop the run
    exact_copies: Copies = Copies.DROP  # rows without an event id that repeat another one in everything
    currency: str = ""  # currency of prices on pages: a code like EUR, or a sign; empty: numbers alone
    last_day: str = ""  # later events, in the shop's zone, are left out; like 2024-01-31; empty: all are kept


@dataclass(frozen=True)
class FeatureSettings:
    """When features are snapshotted."""

    test_days: int = 28  # length of the test window at the end, which no model sees
    ranker_windows: int = 0  # label windows before the cutoff, of test_days each; 0: chosen by the size of the log
    snapshot_every_days: int = 7  # days between two rows of statistics and sequences
    holidays: str = ""  # country whose public holidays count, like US or DE-BY; empty: none
    two_tower_weeks: int = 0  # weeks before the cutoff that the towers learn from; 0: chosen by the size of the log
    target: EventType = EventType.PURCHASE  # the event that models learn to predict: purchase, like, cart_add or view


@dataclass(frozen=True)
class TwoTowerSettings:
    """Hyper-parameters of retrieval."""

    recipe: Recipe = Recipe.CONTENT  # which towers; `two_tower: auto` in params.yaml lets validation choose
    budget_minutes: float = (
        5.0  # most minutes, estimated, for training ids; if they would take longer, auto leaves them out
    )
    embedding_dim: int = 64  # length of both towers' output
    item_id_dim: int = 32  # length of the item-id embedding, which the sequence shares
    hidden_units: tuple[int, ...] = (128,)  # units of each tower's hidden layers
    temperature: float = (
        1.0  # temperature of the sampled softmax; taste is a cosine, so it moves a logit by at most 1 / temperature
    )
    encoder: Encoder = Encoder.MEAN  # reads the sequence of events
    encoder_blocks: int = 2  # blocks of attention, each with two heads
    encoder_dropout: float = 0.3  # dropout inside gru and attention
    sequence_dropout: float = 0.0  # share of a sequence's events hidden in training
    side_features: bool = True  # False: towers of ids and sequences alone, without content, profile and statistics
    item_bias: bool = False  # without side features: one number of an item's embedding is its popularity
    sequence_share: float = 0.5  # weight of the sequence in a query without side features; the user's id has the rest
    loss: Loss = Loss.SAMPLED  # full: for catalogues up to about 100,000 items, without side features
    uniform_negatives: int = (
        0  # negatives drawn evenly from the catalogue for each batch, in addition to the in-batch ones
    )
    hard_negatives: int = 0  # negatives a batch that lie near some of its queries; the index is rebuilt for each epoch
    optimizer: Optimizer = Optimizer.ADAGRAD
    learning_rate: float = 0.2  # learning rate of the optimizer
    batch_size: int = 1024  # rows a batch, and so in-batch negatives; 4096 is slower per example on CPU
    epochs: int = 4  # passes over the positives before the ranker windows
    min_steps: int = 500  # least number of steps; a small log has more epochs if they have fewer
    fine_tune_epochs: int = 2  # passes over the ranker windows, after the ranker's candidates are drawn
    repeat_weight: float = 0.0  # weight of repeats as positives; they have a candidate source of their own
    cart_weight: float = 0.5  # weight of a cart add without purchase in that visit; a purchase has 1
    like_weight: float = 0.5  # weight of a like without cart add or purchase in that visit
    view_weight: float = 0.2  # weight of a view alone; 0 leaves such positives out, here and for the two above
    user_evenness: float = 1.0  # 0: every purchase counts the same, 1: every user does, as in per-user metrics
    cold_user_share: float = (
        0.2  # share of queries asked as if the user were cold, and of users who teach the ranker in that way
    )
    id_dropout: float = 0.8  # share of ids hidden in training, so that content carries unseen items and users
    dropout: float = 0.4  # dropout after each hidden layer
    seed: int = 17  # of TensorFlow and numpy

    @property
    def hidden_share(self) -> float:
        """cold_user_share for the towers themselves: towers of ids alone know nothing of a user without a history."""
        return self.cold_user_share if self.side_features else 0.0


FLAT: Final = "Flat"
"""The index factory that compares all items."""


@dataclass(frozen=True)
class IndexSettings:
    """How items are searched."""

    factory: str = "auto"  # auto: the fastest index that reaches min_recall; or a FAISS factory string, inner product
    min_recall: float = 0.99  # least share of brute force's recall_k neighbours that the index must find
    recall_k: int = 100  # neighbours compared with brute force
    recall_queries: int = 500  # users sampled for this comparison


@dataclass(frozen=True)
class NeighbourSettings:
    """Hyper-parameters of the item-to-item weights."""

    max_items: int = 8000  # the most bought items; a dense matrix of this size squared is inverted for each moment
    per_item: int = 64  # heaviest weights that are kept for each item
    regularization: float = 300.0  # regularization of EASE, in purchases


@dataclass(frozen=True)
class RankerSettings:
    """Hyper-parameters of ranking and of the candidate union it ranks."""

    num_candidates: int = (
        500  # candidates that are ranked for each user; the towers fill up what the sources below leave
    )
    num_repeat: int = 350  # at most this number from the user's own history
    num_popular: int = 100  # this number by popularity of the last 28 days
    num_engaged: int = 50  # at most this number that the user has lately viewed and never bought
    num_neighbours: int = 150  # at most this number by item-to-item weights, never bought by the user
    num_unseen_neighbours: int = 400  # num_neighbours of a list that leaves out what the user had
    engagement_weight: float = (
        1.0  # weight of the heads for carts and for views; the head for purchases has 1; 0: that head alone
    )
    cross_layers: int = 2  # cross layers of DCN-v2
    hidden_units: tuple[int, ...] = (128, 64)  # units of the deep part
    learning_rate: float = 0.001  # learning rate of Adam
    batch_users: int = 16  # lists in each step
    epochs: int = 8  # the network's passes over the first label window, or over all lists where it begins anew
    further_epochs: int = 3  # its passes over the label windows so far, for each later one
    distillation_weight: float = (
        3.0  # weight of the trees' probabilities as labels, relative to a purchase; 0: labels alone
    )
    model: str = "auto"  # neural, trees, or auto: trees where they are better on the last label window
    trees: int = 120  # number of trees; 500 candidates take 1.1 ms of CPU, with the neural ranker 0.4
    leaves: int = 31  # leaves of each tree
    shrinkage: float = 0.1  # learning rate of boosting
    leaf_rows: int = 200  # fewest candidates in a leaf
    tree_rows: int = 600_000  # most candidates that trees learn from; beyond, users are sampled
    seed: int = 17  # of TensorFlow, numpy and scikit-learn


@dataclass(frozen=True)
class ErasureSettings:
    """What becomes of bundles that have learned from people who were erased."""

    bundle_life_days: float = 180.0  # days after it was made when such a bundle retires: it is not promoted any more


@dataclass(frozen=True)
class Settings:
    """All sections of params.yaml."""

    duckdb: DuckDBSettings = field(default_factory=DuckDBSettings)
    ingest: IngestSettings = field(default_factory=IngestSettings)
    features: FeatureSettings = field(default_factory=FeatureSettings)
    two_tower: TwoTowerSettings = field(default_factory=TwoTowerSettings)
    index: IndexSettings = field(default_factory=IndexSettings)
    neighbours: NeighbourSettings = field(default_factory=NeighbourSettings)
    ranker: RankerSettings = field(default_factory=RankerSettings)
    erasure: ErasureSettings = field(default_factory=ErasureSettings)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the manifest and for MLflow."""
        return asdict(self)


def mlflow_url() -> str:
    """URL of a shared MLflow, by MLflow's own variable; empty keeps runs and aliases in the workspace."""
    return os.environ.get("MLFLOW_TRACKING_URI", "")

"""Lists for all users as a file, and the score of such a file: for mailings and for competitions."""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from contracts.errors import InvalidInput
from contracts.features import names
from contracts.outside_text import from_sheet, in_sheet
from training.batch.hidden import hidden_by_user
from training.dataset.dataset import Dataset
from training.ranking.scoring import rank_with_scores
from training.ranking.shortlists import shortlists
from training.ranking.without_history import as_served, lists_without_history
from training.retrieval.embeddings import Embeddings
from training.settings import Settings
from training.workspace import Workspace, require

PRODUCTS = "products"
SUFFIXES = (".csv", ".parquet")


class AsOf(StrEnum):
    """The moment that lists are made for."""

    DATA_END = "data-end"  # today: for mail
    CUTOFF = "cutoff"  # before the test window: for `tandem evaluate-submission`


def moment_of(workspace: Workspace, as_of: AsOf) -> int:
    """Unix seconds."""
    timeline = Dataset(workspace).timeline
    return timeline.cutoff if as_of is AsOf.CUTOFF else timeline.data_end


def recommend_all(
    workspace: Workspace, settings: Settings, n: int, as_of: AsOf, only: Sequence[str] | None = None
) -> pa.Table:
    """user_id and products, the n best item ids, best first; of every user, or of only these in their order."""
    dataset = Dataset(workspace)
    moment = dataset.moment(moment_of(workspace, as_of))
    embeddings = Embeddings(require(workspace.towers, "tandem train-towers"))
    row_of = {user: row for row, user in enumerate(moment.user_ids)}
    user_ids = moment.user_ids if only is None else only
    users = [row_of[user] for user in user_ids]
    candidates = shortlists(dataset, moment, users, embeddings, settings.ranker)
    hidden = hidden_by_user(workspace, moment.seconds)
    ranked = rank_with_scores(candidates, workspace.ranker)
    served = as_served(ranked, lists_without_history(dataset, moment, users))
    shown = (
        (dataset.item_ids[row] for row in rows if dataset.item_ids[row] not in hidden.get(user, ()))
        for user, rows in zip(user_ids, served, strict=True)
    )
    lists = [list(islice(items, n)) for items in shown]
    return pa.table({names.USER_ID: user_ids, PRODUCTS: pa.array(lists, pa.list_(pa.string()))})


def write_lists(table: pa.Table, path: Path) -> None:
    """Writes Parquet, or CSV with products as a JSON array.

    Raises InvalidInput for another kind of file.
    """
    refuse_other_kinds(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(table, path)
        return
    text = pa.array([_json_in_sheet(products) for products in table.column(PRODUCTS).to_pylist()])
    users = pa.array([in_sheet(user) for user in table.column(names.USER_ID).to_pylist()])
    pyarrow.csv.write_csv(table.set_column(0, names.USER_ID, users).set_column(1, PRODUCTS, text), path)


def _json_in_sheet(products: list[str]) -> str:
    """The array without a character that some countries' sheets are split at: quotes hold only where commas do that."""
    return json.dumps(products).replace(";", "\\u003b")


def read_lists(path: Path) -> dict[str, list[str]]:
    """Item ids of each user, best first.

    Raises InvalidInput for a file that is not there, of another kind or shape, or that names a user twice.
    """
    refuse_other_kinds(path)
    if not path.is_file():
        raise InvalidInput(f"There is no file {path}. `tandem batch --output {path}` writes one.")
    try:
        users, lists = _columns(path)
    except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"{path} must have columns user_id and products, an array of ids a row: {error}") from error
    if len(set(users)) != len(users):
        twice = next(user for at, user in enumerate(users) if user in users[:at])
        raise InvalidInput(f"{path} has several rows for user {twice!r}; each user has one list.")
    return dict(zip(users, lists, strict=True))


def submission_recall(
    lists: Mapping[str, Sequence[str]],
    truths: Mapping[str, frozenset[str]],
    limit: int,
    user_limit: int | None = None,
) -> float:
    """Mean over the users of truths of the share of their items that their list holds; a missing user counts 0.

    Raises InvalidInput for a list of more than limit items or with an item twice, and for more than user_limit users.
    """
    if user_limit is not None and len(lists) > user_limit:
        raise InvalidInput(f"The file has {len(lists)} users, at most {user_limit} are allowed.")
    for user, items in lists.items():
        if len(items) > limit:
            raise InvalidInput(f"User {user!r} has {len(items)} items, at most {limit} are allowed.")
        if len(set(items)) != len(items):
            raise InvalidInput(f"User {user!r} has an item twice.")
    return sum(len(truth & set(lists.get(user, ()))) / len(truth) for user, truth in truths.items()) / len(truths)


def truths_of_test_window(workspace: Workspace) -> dict[str, frozenset[str]]:
    """What each user bought in the test window, by id; users who bought nothing are left out."""
    dataset = Dataset(workspace)
    bought = dataset.bought(dataset.timeline.cutoff, dataset.timeline.data_end)
    return {user: frozenset(dataset.item_ids[row] for row in rows) for user, rows in bought.items()}


def refuse_other_kinds(path: Path) -> None:
    """Raises InvalidInput for a file that is neither CSV nor Parquet by its name."""
    if path.suffix not in SUFFIXES:
        raise InvalidInput(f"{path} must end in {' or '.join(SUFFIXES)}.")


def _columns(path: Path) -> tuple[list[str], list[list[str]]]:
    if path.suffix == ".parquet":
        table = pq.read_table(path, columns=[names.USER_ID, PRODUCTS])
        lists = table.column(PRODUCTS).to_pylist()
    else:
        options = pyarrow.csv.ConvertOptions(column_types={names.USER_ID: pa.string(), PRODUCTS: pa.string()})
        table = pyarrow.csv.read_csv(path, convert_options=options)
        lists = [json.loads(text) for text in table.column(PRODUCTS).to_pylist()]
    users = table.column(names.USER_ID).to_pylist()
    if path.suffix != ".parquet":
        users = [user and from_sheet(user) for user in users]
    if None in users:
        raise ValueError(f"row {users.index(None) + 1} has no user_id")
    return [str(user) for user in users], [_items(products) for products in lists]


def _items(products: object) -> list[str]:
    """Raises ValueError for anything but an array of ids: text is an array of letters to Python."""
    if not isinstance(products, list) or not all(isinstance(item, str | int) for item in products):
        raise ValueError(f"{products!r} is not an array of ids")
    return [str(item) for item in products]

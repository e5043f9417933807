"""An online store with features of the first users of a world."""

import numpy as np
import pandas as pd

from benchmarks.sized.world import HISTORY_ITEMS, NOW, SizedWorld
from contracts.features import names
from training.feature_store.store import apply_definitions, open_store
from training.workspace import Workspace


def fill_store(world: SizedWorld, workspace: Workspace, users: int) -> None:
    """Applies the definitions and writes the features of the first `users` users."""
    apply_definitions(workspace)
    store = open_store(workspace)
    numbers = np.arange(users)
    columns = world.user_columns(numbers, HISTORY_ITEMS)
    base = {names.USER_ID: world.ids(numbers), names.EVENT_TIMESTAMP: pd.Timestamp(NOW, unit="s", tz="UTC")}
    for view in names.USER_VIEWS:
        fields = [feature.name for feature in store.get_feature_view(view).features]
        store.write_to_online_store(view, df=pd.DataFrame(base | {name: columns[name] for name in fields}))

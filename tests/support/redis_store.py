"""The feature store's settings with Redis as the online store."""

from pathlib import Path


def use_redis(path: Path, connection_string: str) -> None:
    """Puts a Redis online store into the feature_store.yaml of the embedded stores, as the chart writes it.

    Raises ValueError where the file has no embedded online store.
    """
    text = path.read_text()
    sqlite = "  type: sqlite\n  path: data/online.db\n"
    if sqlite not in text:
        raise ValueError(f"{path} does not have the embedded online store that is to be replaced")
    path.write_text(text.replace(sqlite, f'  type: redis\n  connection_string: "{connection_string}"\n'))

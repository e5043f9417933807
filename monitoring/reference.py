"""The bundle's sample of served features at training time: what drift is measured against."""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from contracts.bundle.files import REFERENCE, sha256_of
from contracts.bundle.manifest import Manifest
from contracts.errors import BundleRefused, MissingArtifact
from contracts.features.names import SCORES, USER_PROFILE, USER_STATISTICS

CATEGORICAL: Final = USER_PROFILE
NUMERICAL: Final = (*USER_STATISTICS, *SCORES)
COLUMNS: Final = (*CATEGORICAL, *NUMERICAL)


def read_reference(bundle: Path, manifest: Manifest) -> pd.DataFrame:
    """The reference sample, COLUMNS in order; digest, columns and values checked.

    Raises MissingArtifact where the file is absent and BundleRefused naming every fault where it cannot be used.
    """
    path = bundle / REFERENCE
    if not path.is_file():
        raise MissingArtifact(f"No reference sample at {path}. Build a bundle that has one with `tandem bundle`.")
    listed = manifest.files.get(REFERENCE)
    if listed is None or listed.sha256 != sha256_of(path):
        raise BundleRefused(f"{path} is not the file that the manifest of bundle {manifest.bundle_version} lists.")
    frame = pd.read_parquet(path)
    if faults := _faults(frame):
        raise BundleRefused(f"{path} cannot be compared with: {'; '.join(faults)}. Rebuild it with `tandem bundle`.")
    return frame[list(COLUMNS)].astype(dict.fromkeys(NUMERICAL, "float64"))


def is_id(column: str) -> bool:
    """Whether a column names things rather than describing them; such a column is never tested for drift."""
    return column.endswith(("_id", "_ids"))


def _faults(frame: pd.DataFrame) -> list[str]:
    columns = [str(column) for column in frame.columns]
    faults = [f"{column} is an id, ids are never tested for drift" for column in columns if is_id(column)]
    faults += [f"{column} is not a known feature" for column in columns if column not in COLUMNS and not is_id(column)]
    faults += [f"{column} is missing" for column in COLUMNS if column not in columns]
    faults += [
        f"{column} is not numeric" if not pd.api.types.is_numeric_dtype(frame[column]) else f"{column} is not finite"
        for column in NUMERICAL
        if column in columns
        and not (pd.api.types.is_numeric_dtype(frame[column]) and bool(np.isfinite(frame[column]).all()))
    ]
    faults += [
        f"{column} is not all text"
        for column in CATEGORICAL
        if column in columns and not all(isinstance(value, str) for value in frame[column])
    ]
    return faults if len(frame) else [*faults, "it has no rows"]

"""The most used array types, by what they hold."""

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
"""Catalogue rows: positions of items in the bundle's item_ids."""
Floats = npt.NDArray[np.float32]
"""What models read and write."""
Doubles = npt.NDArray[np.float64]
"""Measures, which are summed over many users, and time."""

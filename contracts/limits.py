"""How long names and how large prices may be: what ingest keeps can be asked for, and computed with."""

from typing import Final

MAX_ID: Final = 128
"""Characters of the id of a user or an item."""
MAX_TERM: Final = 256
"""Characters of a category, a department or a brand."""
MAX_MONEY: Final = 1e12
"""Of a price or a discount, in any currency. Features sum them up in 32 bits, which end at 3e38."""

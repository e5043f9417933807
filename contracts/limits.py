"""How long names may be: what ingest keeps can be asked for and filtered by."""

from typing import Final

MAX_ID: Final = 128
"""Characters of the id of a user or an item."""
MAX_TERM: Final = 256
"""Characters of a category, a department or a brand."""

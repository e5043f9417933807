"""The token for the next page: what earlier pages have shown, four bytes an item, in the token itself.

Nothing is kept on the server and a new bundle may serve the next page: an item is named by the CRC-32 of its id. Two
ids of one catalogue may share it; then one item more is left out of a later page, and never one shown twice.
"""

import base64
import binascii
import zlib
from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from contracts.arrays import Rows
from contracts.errors import InvalidInput
from contracts.features.vocabulary import Vocabulary
from contracts.ranking.candidates import NO_ROWS

MAX_SHOWN: Final = 1000
"""Items on all pages together; the token is 5.4 kB then, and proxies take lines of 8 kB."""
_CHECK_BYTES: Final = 4

Shown = npt.NDArray[np.uint32]


def page_token(shown: Shown, item_ids: Iterable[str]) -> str | None:
    """The token of a page that follows these items; None where it would be beyond the last page that is served."""
    both = np.concatenate([shown, np.array([zlib.crc32(item.encode()) for item in item_ids], np.uint32)])
    if len(both) > MAX_SHOWN:
        return None
    content = both.astype("<u4").tobytes()
    return base64.urlsafe_b64encode(_check(content) + content).decode().rstrip("=")


def shown_before(token: str | None) -> Shown:
    """Checksums of the items on earlier pages, in order; none without a token.

    Raises InvalidInput for a text that no answer gave out.
    """
    if token is None:
        return np.zeros(0, np.uint32)
    try:
        content = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        content = b""
    check, items = content[:_CHECK_BYTES], content[_CHECK_BYTES:]
    if len(items) % 4 or check != _check(items) or len(items) > 4 * MAX_SHOWN:
        raise InvalidInput(
            "The page token is not one that an answer gave as next_page; leave it out for the first page."
        )
    return np.frombuffer(items, "<u4").astype(np.uint32)


def rows_shown(shown: Shown, items: Vocabulary) -> Rows:
    """Catalogue rows of the items on earlier pages."""
    return np.flatnonzero(np.isin(items.checksums, shown)) if len(shown) else NO_ROWS


def _check(content: bytes) -> bytes:
    """A checksum that finds a token that was cut or mistyped; it guards nothing secret."""
    return zlib.crc32(content).to_bytes(_CHECK_BYTES, "little")

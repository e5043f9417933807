"""Bytes in another encoding than UTF-8, as UTF-8."""

import codecs
import io
from typing import IO

from contracts.errors import InvalidInput

CHUNK_BYTES = 1 << 16


def refuse_unknown_encoding(name: str) -> None:
    """Raises InvalidInput for a name that is none of a text encoding."""
    try:
        known = codecs.lookup(name)
    except (LookupError, ValueError):
        known = None
    # Python's codecs turn text into other things as well, such as base64.
    if known is None or not getattr(known, "_is_text_encoding", True):
        raise InvalidInput(f"encoding is {name!r}, expected a name like WINDOWS-1252, ISO-8859-2 or UTF-16.")


def as_utf8(stream: IO[bytes], encoding: str) -> IO[bytes]:
    """The stream's text in UTF-8. To read from it raises UnicodeDecodeError where it is not in the encoding."""
    return io.BufferedReader(_Recoded(stream, encoding), CHUNK_BYTES)


class _Recoded(io.RawIOBase):
    """codecs.EncodedFile, but for its lines: they end at \\n alone, and not where Unicode knows other ends."""

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, into: bytearray | memoryview) -> int:  # type: ignore[override]  # of any buffer
        """Bytes written; 0 at the end."""
        ended = False
        while not self._ready and not ended:
            chunk = self._stream.read(CHUNK_BYTES)
            ended = not chunk
            self._ready = self._decoder.decode(chunk, final=ended).encode()
        count = min(len(into), len(self._ready))
        into[:count], self._ready = self._ready[:count], self._ready[count:]
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()

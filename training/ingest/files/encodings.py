"""Bytes in another encoding than UTF-8, as UTF-8."""

import codecs
import io
from typing import IO

from contracts.errors import DataRejected, InvalidInput

CHUNK_BYTES = 1 << 16


def refuse_unknown_encoding(name: str) -> None:
    """Raises InvalidInput for a name that is none of a text encoding."""
    if not _reads_text(name):
        raise InvalidInput(f"encoding is {name!r}, expected a name like WINDOWS-1252, ISO-8859-2 or UTF-16.")


def _reads_text(name: str) -> bool:
    try:
        # Python's codecs turn text into other things as well, such as base64.
        if not getattr(codecs.lookup(name), "_is_text_encoding", True):
            return False
        codecs.getincrementaldecoder(name)().decode(b"")  # `undefined` is known, and refuses everything
    except (LookupError, ValueError):
        return False
    return True


def as_utf8(stream: IO[bytes], encoding: str, name: str) -> IO[bytes]:
    """The text of a file of this name in UTF-8. To read from it raises DataRejected where it is not in the encoding."""
    return io.BufferedReader(_Recoded(stream, encoding, name), CHUNK_BYTES)


class _Recoded(io.RawIOBase):
    """codecs.EncodedFile, but for its lines: they end at \\n alone, and not where Unicode knows other ends."""

    def __init__(self, stream: IO[bytes], encoding: str, name: str) -> None:
        self._stream, self._encoding, self._name = stream, encoding, name
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
            try:
                self._ready = self._decoder.decode(chunk, final=ended).encode()
            except UnicodeError as error:
                said = getattr(error, "reason", error)
                raise DataRejected(f"{self._name} cannot be read as {self._encoding}: {said}.") from error
        count = min(len(into), len(self._ready))
        into[:count], self._ready = self._ready[:count], self._ready[count:]
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()

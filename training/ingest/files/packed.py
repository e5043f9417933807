"""The bytes of a file, unpacked where its name says that they are packed; what cannot be had is said in words."""

import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Final

from fsspec.utils import infer_compression  # type: ignore[import-untyped,unused-ignore]  # ships no types

from contracts.errors import DataRejected

BUFFER_BYTES: Final = 1 << 16
FAULTS: Final = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, RuntimeError)
"""What unpacking raises; a RuntimeError is of a zip with a password."""
OF_MACS: Final = "__MACOSX/"
"""Where macOS keeps notes of its own in a zip."""


def kind_of(name: str) -> str:
    """How a file is packed, by its name; empty where it is not."""
    return infer_compression(name) or ""


def bare(name: str) -> str:
    """The name that the file has when it is unpacked."""
    return name.rpartition(".")[0] if kind_of(name) else name


def opened_file(filesystem: Any, path: str, name: str, *, unpack: bool) -> IO[bytes]:
    """The bytes of a file.

    Raises DataRejected where there is none to open or it holds several; to read raises it where it cannot be unpacked.
    """
    kind = kind_of(path) if unpack else ""
    try:
        stream: IO[bytes] = filesystem.open(path, "rb", compression=None if kind in ("", "zip") else kind)
    except OSError as error:
        raise DataRejected(
            f"{name} cannot be opened: {error.strerror or error}. Copy it again, or take it away."
        ) from error
    if not kind:
        return stream
    if kind == "zip":
        with _said(name, kind):
            stream = _only_file(stream, name)
    return io.BufferedReader(_Unpacked(stream, name, kind), BUFFER_BYTES)


@contextmanager
def _said(name: str, kind: str) -> Iterator[None]:
    try:
        yield
    except FAULTS as error:
        raise DataRejected(
            f"{name} cannot be unpacked as {kind} ({str(error) or type(error).__name__}). It was cut short or damaged, "
            "or is not what its name says: copy it again, unpack it yourself, or call it what it is."
        ) from error


def _only_file(stream: IO[bytes], name: str) -> IO[bytes]:
    archive = zipfile.ZipFile(stream)
    inside = [one for one in archive.infolist() if not one.is_dir() and not one.filename.startswith(OF_MACS)]
    if len(inside) != 1:
        named = f" ({', '.join(one.filename for one in inside[:3])}{', …' if len(inside) > 3 else ''})"
        raise DataRejected(
            f"{name} is a zip of {len(inside)} files{named if inside else ''}, and only one of one file can be read. "
            "Unpack it into a folder: each file in it is then a part of the table."
        )
    return archive.open(inside[0])


class _Unpacked(io.RawIOBase):
    """A stream that says in words why it cannot be read on."""

    def __init__(self, stream: IO[bytes], name: str, kind: str) -> None:
        self._stream, self._name, self._kind = stream, name, kind

    def readable(self) -> bool:
        return True

    def readinto(self, into: bytearray | memoryview) -> int:  # type: ignore[override]  # of any buffer
        """Bytes written; 0 at the end."""
        with _said(self._name, self._kind):
            chunk = self._stream.read(len(into))
        into[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        self._stream.close()
        super().close()

"""Where a source's files lie: a folder or a URL that fsspec knows (s3://…), and which files are there."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import fsspec  # type: ignore[import-untyped,unused-ignore]  # ships no types
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped,unused-ignore]

from contracts.errors import DataRejected, InvalidInput, MissingArtifact
from training.ingest.files.encodings import as_utf8
from training.ingest.files.packed import bare, opened_file

JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
TABLE_SUFFIXES = (
    *(".parquet", ".csv", ".tsv", ".csv.gz", ".tsv.gz"),
    *JSON_SUFFIXES,
    *(f"{suffix}.gz" for suffix in JSON_SUFFIXES),
)
SHOWN = 3
NO_DATA = ("_", ".")
"""How files begin that programs leave next to data: _SUCCESS, .part-0000.csv.crc."""


def has_suffix(name: str, suffixes: Sequence[str]) -> bool:
    """Whether a file's name ends in one of them, in any case: Windows writes ORDERS.CSV."""
    return name.lower().endswith(tuple(suffixes))


def _is_text(name: str) -> bool:
    """Whether a name of a file is UTF-8: Python has the bytes of another one as halves of characters."""
    return name == name.encode(errors="ignore").decode()


def is_json(name: str) -> bool:
    """Whether a file is JSON by its name, packed or not."""
    return has_suffix(bare(name), JSON_SUFFIXES)


@dataclass(frozen=True)
class DataFile:
    """One file, as fsspec addresses it."""

    filesystem: Any  # an fsspec filesystem; the package ships no types
    path: str  # without protocol
    encoding: str = ""  # of its text; empty: UTF-8
    header: str = ""  # the line of column names that the file lacks; empty: it has one
    folder: str = ""  # of the source, in which it lies

    @property
    def name(self) -> str:
        """The path below the source's folder, for messages: parts in several folders are often called the same."""
        return self._name.encode(errors="backslashreplace").decode()

    @property
    def _name(self) -> str:
        below = f"{self.folder}/"
        return self.path.removeprefix(below) if self.folder else self.path.rsplit("/", 1)[-1]

    def in_path(self, pattern: str) -> str:
        """What the path says at each `*` of a pattern of folders or of the file, joined by `-`: the day, of `date=*`.

        Raises DataRejected where no part of the path is like it, or it is no text.
        """
        places = re.escape(pattern.strip("/")).replace(r"\*", "([^/]+)")
        found = re.search(f"(?:^|/){places}(?:/|$)", self._name)
        if found is None or not found.groups():
            raise DataRejected(
                f"{self.name} has no folder and no name like {pattern!r}. A star stands for the value, as in `path: "
                "date=*` for date=2024-01-31/part.csv and `path: orders-*.csv` for orders-2024-01-31.csv."
            )
        value = "-".join(found.groups())
        if not _is_text(value):
            raise DataRejected(
                f"The name of {self.name} is not UTF-8 where {pattern!r} has its star: call it otherwise."
            )
        return value

    @property
    def is_local(self) -> bool:
        """True on a disk that the engine reads by itself."""
        return "file" in self.filesystem.protocol

    @property
    def has_text_path(self) -> bool:
        """False for a path that is not UTF-8, which engines do not take."""
        return _is_text(self.path)

    def open(self, compression: str | None = None) -> IO[bytes]:
        """The bytes, text as UTF-8; `infer` looks at the suffix for the compression.

        Raises DataRejected, and so does reading, for a file that cannot be opened, unpacked or made UTF-8.
        """
        stream = opened_file(self.filesystem, self.path, self.name, unpack=compression == "infer")
        return as_utf8(stream, self.encoding, self.name) if self.encoding else stream


@dataclass(frozen=True)
class Location:
    """A folder of files."""

    filesystem: Any
    folder: str
    shown: str  # as the user gave it

    def files(self, name: str, suffixes: Sequence[str] = TABLE_SUFFIXES) -> list[DataFile]:
        """The files of a table: `name` itself, name plus a suffix, or the parts in a folder `name`; none found: [].

        Raises InvalidInput when several of these exist, as only one can be meant, or when the folder holds a file that
        cannot be read: its rows would be missing.
        """
        matches = sorted(
            one for one in self._listed() if one.startswith(name) and one[len(name) :].lower() in ("", *suffixes)
        )
        if len(matches) > 1:
            raise InvalidInput(
                f"{self.shown} holds {' and '.join(matches)}: keep one, or name the file in the mapping."
            )
        if not matches:
            return []
        path = f"{self.folder}/{matches[0]}"
        if not self.filesystem.isdir(path):
            return [DataFile(self.filesystem, path, folder=self.folder)]
        return [DataFile(self.filesystem, part, folder=self.folder) for part in self._parts(path, suffixes)]

    def _parts(self, folder: str, suffixes: Sequence[str]) -> list[str]:
        """The files below a folder, those of its folders included: exports of each day often have one of their own."""
        found = sorted(self.filesystem.find(folder))
        inside = {path: path[len(folder) :].strip("/") for path in found}
        data = [path for path in found if not any(part.startswith(NO_DATA) for part in inside[path].split("/"))]
        if others := [inside[path] for path in data if not has_suffix(path, suffixes)]:
            shown = ", ".join(others[:SHOWN]) + (", …" if len(others) > SHOWN else "")
            raise InvalidInput(
                f"{folder} holds {shown}: only files of {', '.join(suffixes)} can be read as parts of a table. Move "
                "everything else to another folder, or export it as one of these."
            )
        return data

    def required(self, name: str, suffixes: Sequence[str] = TABLE_SUFFIXES) -> list[DataFile]:
        """The files of a table that must be there.

        Raises MissingArtifact naming what was looked for and what was found.
        """
        found = self.files(name, suffixes)
        if not found:
            listed = ", ".join(sorted(self._listed())) or "nothing"
            raise MissingArtifact(
                f"{self.shown} has no file {name} ({', '.join(suffixes)}), and no folder {name} with such files in it. "
                f"It holds: {listed}."
            )
        return found

    def _listed(self) -> set[str]:
        return {path.rstrip("/").rsplit("/", 1)[-1] for path in self.filesystem.ls(self.folder, detail=False)}


def opened(path: str) -> tuple[Any, str]:
    """(filesystem, path on it). What exists on this disk is meant as it is written, `::` and `~` included.

    Raises InvalidInput without a package for the protocol.
    """
    if Path(path).exists():
        return LocalFileSystem(), str(Path(path).absolute())
    try:
        filesystem, folder = fsspec.core.url_to_fs(path)
    except (ImportError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be opened: {error}") from error
    return filesystem, folder


def locate(path: str, adapter: str) -> Location:
    """The folder that --path names.

    Raises InvalidInput without a path or a package for its protocol, MissingArtifact when it is not a folder.
    """
    if not path:
        raise InvalidInput(f"The adapter {adapter} reads files: say where they lie with --path or ingest.path.")
    filesystem, folder = opened(path)
    if not filesystem.isdir(folder):
        raise MissingArtifact(
            f"{path} is not a folder that can be read; the adapter {adapter} expects its files there."
        )
    return Location(filesystem, folder.rstrip("/"), path)

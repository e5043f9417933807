"""Where a source's files lie: a folder or a URL that fsspec knows (s3://…), and which files are there."""

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
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


def _is_left_over(inside: str) -> bool:
    """Whether a file, by its path in the folder of a table, is one that programs leave next to data."""
    return any(part.startswith(NO_DATA) for part in inside.split("/"))


def like(name: str) -> str:
    """The pattern of the names that a name with stars stands for."""
    return re.escape(name).replace(r"\*", "[^/]*")


def _refuse_others(name: str, parts: Sequence[str], suffixes: Sequence[str]) -> None:
    """Raises InvalidInput for parts of a table that are of a kind that is not read."""
    if others := [part for part in parts if not has_suffix(part, suffixes)]:
        raise InvalidInput(
            f"{name} holds {_some(others)}: only files of {', '.join(suffixes)} can be read as parts of a table. "
            "Move everything else to another folder, or export it as one of these."
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")


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
        """The files of a table; none found: [].

        They are `name` itself, name plus a suffix, the parts in a folder `name`, or all that is like a name with stars.
        Raises InvalidInput when several of these exist, as only one can be meant, or when a part cannot be read: its
        rows would be missing.
        """
        parts = [part for place in self._places(name, suffixes) for part in self._parts(place, suffixes)]
        return [DataFile(self.filesystem, part, folder=self.folder) for part in parts]

    def passed_over(self, name: str, suffixes: Sequence[str] = TABLE_SUFFIXES) -> list[str]:
        """What lies in the folder of a table like a part of it, and is not read for what its name begins with."""
        folders = [place for place in self._places(name, suffixes) if self.filesystem.isdir(place)]
        inside = [one for folder in folders for one in self._inside(folder)]
        return [below for part, below in inside if _is_left_over(below) and has_suffix(part, suffixes)]

    def notes(self, names: Iterable[str]) -> Iterator[str]:
        """One sentence for each table that has such files."""
        for name in names:
            if parts := self.passed_over(name):
                yield (
                    f"Not read: {_some(parts)} in {name}. Programs leave what begins with _ or . next to data: "
                    "give a part of the table, or its folder, another name."
                )

    def _places(self, name: str, suffixes: Sequence[str]) -> list[str]:
        """Where a table lies: a file, a folder of parts, or all that is like a name with stars; empty: nowhere."""
        above, _, last = posixpath.normpath(name).rpartition("/")
        listed = self._listed(above)
        matches = sorted(one for one in listed if one.startswith(last) and one[len(last) :].lower() in ("", *suffixes))
        if len(matches) > 1:
            raise InvalidInput(
                f"{self.shown} holds {' and '.join(matches)}: keep one, or name the file in the mapping."
            )
        if not matches and "*" in last:
            pattern = re.compile(like(last))
            matches = sorted(one for one in listed if pattern.fullmatch(one) and not one.startswith("."))
        places = {"/".join(filter(None, (self.folder, above, match))): match for match in matches}
        if len(places) > 1:
            _refuse_others(name, [one for place, one in places.items() if not self.filesystem.isdir(place)], suffixes)
        return list(places)

    def _parts(self, folder: str, suffixes: Sequence[str]) -> list[str]:
        """The files below a folder, those of its folders included: exports of each day often have one of their own.

        A file has no other part than itself.
        """
        if not self.filesystem.isdir(folder):
            return [folder]
        data = [(path, inside) for path, inside in self._inside(folder) if not _is_left_over(inside)]
        _refuse_others(folder, [inside for _, inside in data], suffixes)
        return [path for path, _ in data]

    def _inside(self, folder: str) -> list[tuple[str, str]]:
        """(path, path below the folder) of each file in it."""
        return [(path, path[len(folder) :].strip("/")) for path in sorted(self.filesystem.find(folder))]

    def required(self, name: str, suffixes: Sequence[str] = TABLE_SUFFIXES) -> list[DataFile]:
        """The files of a table that must be there.

        Raises MissingArtifact naming what was looked for and what was found.
        """
        found = self.files(name, suffixes)
        if not found:
            listed = ", ".join(sorted(self._listed())) or "nothing"
            raise MissingArtifact(
                f"{self.shown} has no file {name} ({', '.join(suffixes)}), and no folder {name} with such files in it. "
                f"It holds: {listed}.{''.join(f' {note}' for note in self.notes([name]))}"
            )
        return found

    def _listed(self, below: str = "") -> set[str]:
        """What lies in the folder, or in one below it; nothing where there is no such folder."""
        try:
            found = self.filesystem.ls("/".join(filter(None, (self.folder, below))), detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return set()
        return {path.rstrip("/").rsplit("/", 1)[-1] for path in found}


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

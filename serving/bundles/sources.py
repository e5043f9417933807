"""Where bundles come from: a folder (a link, a volume, KServe's storageUri) or a prefix in S3 with a cache folder."""

import fcntl
import os
import shutil
import weakref
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import boto3
from botocore.client import Config
from botocore.exceptions import BotoCoreError, ClientError

from contracts.bundle.files import CURRENT, MANIFEST, SIGNATURE, digest_of, is_served
from contracts.bundle.manifest import read_manifest, require_version, verify
from contracts.bundle.promotions import bundle_versions, refuse_older
from contracts.bundle.retirement import refuse_retired
from contracts.errors import BundleRefused, InvalidInput, MissingArtifact
from serving.runtime.file_stamp import stamp_of

S3 = "s3://"
PARTIAL = ".partial"


class BundleSource(Protocol):
    """One place with versions side by side, one of which was asked for."""

    def identity(self) -> str | None:
        """Differs when another bundle lies there than before; None while none can be seen."""
        ...

    def fetch(self, version: str | None = None) -> Path:
        """A local folder with the bundle that was asked for, or with another version from the same place.

        Raises MissingArtifact where it cannot be had and BundleRefused where it is altered on the way.
        """
        ...

    def prune(self, kept: Collection[str]) -> None:
        """Deletes copies of versions that are not among these and that nobody else uses."""
        ...


class DirectorySource:
    """A bundle's folder, or a link to one that may move."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def identity(self) -> str | None:
        """The folder behind the link and the age of its manifest: a bundle that was written again is another one."""
        folder = self._path.resolve()
        stamp = stamp_of(folder / MANIFEST)
        return f"{folder} {stamp}" if stamp else None  # None between two renames, or while nothing is there

    def fetch(self, version: str | None = None) -> Path:
        """The folder behind the link, or of a version next to it.

        Raises BundleRefused for a version that is retired, and for a link to an older bundle than was promoted unless
        it is a rollback.
        """
        folder = (self._path.parent / version if version else self._path).resolve()
        if not (folder / MANIFEST).is_file():
            there = ", ".join(bundle_versions(self._path.parent)) or "none"
            raise MissingArtifact(f"There is no bundle {version or self._path}. There is {there}.")
        if version:
            refuse_retired(self._path.parent, version)
        if version is None and self._path.is_symlink() and self._path.name == CURRENT:
            refuse_older(self._path.parent, folder.name)
        return folder

    def prune(self, kept: Collection[str]) -> None:
        """Nothing: these are no copies."""


class S3Source:
    """s3://bucket/prefix/VERSION, copied to a cache folder: the files that serving reads, each held to its digest."""

    def __init__(self, url: str, cache: Path) -> None:
        """Raises InvalidInput for a URL without bucket and version. Endpoint and credentials are AWS_* variables."""
        bucket, _, key = url.removeprefix(S3).rstrip("/").partition("/")
        if not url.startswith(S3) or not bucket or not key:
            raise InvalidInput(f"{url} names no bundle: expected s3://bucket/prefix/VERSION.")
        self._bucket = bucket
        self._prefix, _, self._version = key.rpartition("/")
        self._cache = cache
        self._used: dict[str, int] = {}  # open file with a shared lock for each version that this server reads
        weakref.finalize(self, _close, self._used)
        config = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "max_attempts": 4})
        self._client: Any = boto3.client("s3", config=config)

    def identity(self) -> str:
        """Never differs: a version in S3 is written once. Another one is asked for by name."""
        return self._version

    def fetch(self, version: str | None = None) -> Path:
        """The cached copy; what it lacks is downloaded first. A whole copy is used without asking S3."""
        version = version or self._version
        self._cache.mkdir(parents=True, exist_ok=True)
        with _locked(self._cache / f".{version}.lock"):  # servers may share the folder
            self._use(version)
            target, partial = self._cache / version, self._cache / f".{version}{PARTIAL}"
            if _whole(target):
                self._get_signature(version, target)
                return target
            self._download(version, partial)
            shutil.rmtree(target, ignore_errors=True)
            return partial.rename(target)

    def prune(self, kept: Collection[str]) -> None:
        """Deletes whole and broken-off copies, but for those that another server reads or fetches right now."""
        for version in self._used.keys() - set(kept):
            os.close(self._used.pop(version))
        copies = {path.name.strip(".").removesuffix(PARTIAL) for path in self._cache.iterdir() if path.is_dir()}
        for version in copies - set(kept):
            with suppress(OSError), self._alone(version):  # what cannot be deleted costs disk, and no answer
                shutil.rmtree(self._cache / version, ignore_errors=True)
                shutil.rmtree(self._cache / f".{version}{PARTIAL}", ignore_errors=True)

    def _use(self, version: str) -> None:
        if version not in self._used:
            self._used[version] = os.open(self._cache / f".{version}.used", os.O_RDWR | os.O_CREAT, 0o644)
            fcntl.flock(self._used[version], fcntl.LOCK_SH)

    @contextmanager
    def _alone(self, version: str) -> Iterator[None]:
        """Raises BlockingIOError where another server fetches or uses the version."""
        with (
            _locked(self._cache / f".{version}.lock", fcntl.LOCK_NB),
            _locked(self._cache / f".{version}.used", fcntl.LOCK_NB),
        ):
            yield

    def _download(self, version: str, folder: Path) -> None:
        """Fills the folder; files of an earlier attempt are kept where their digest is right."""
        folder.mkdir(exist_ok=True)
        self._get(version, MANIFEST, folder)
        manifest = read_manifest(folder)
        require_version(manifest, version)
        for name, digest in manifest.files.items():
            path = folder / name
            if not is_served(name) or (path.is_file() and digest_of(path) == digest):
                continue
            self._get(version, name, folder)
            if digest_of(path) != digest:
                path.unlink()
                raise BundleRefused(f"Bundle {version} is refused: {name} is altered in s3://{self._bucket}.")
        self._get_signature(version, folder)
        verify(folder, version, for_serving=True)

    def _get_signature(self, version: str, folder: Path) -> None:
        """Fetches the signature if there is one; S3 says "forbidden" for what is missing, so the errors look alike.

        Nothing is lost by that: a server with a public key refuses what is not signed, and says so.
        """
        if not (folder / SIGNATURE).is_file():
            with suppress(MissingArtifact):
                self._get(version, SIGNATURE, folder)

    def _get(self, version: str, name: str, folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        key = f"{self._prefix}/{version}/{name}".lstrip("/")
        try:
            self._client.download_file(self._bucket, key, str(path))  # to a temporary name, renamed when whole
        except (BotoCoreError, ClientError) as error:
            raise MissingArtifact(
                f"s3://{self._bucket}/{key} cannot be read: {error}. Publish bundles with `tandem bundle --publish`, "
                "and check the AWS_* variables."
            ) from error


def source_of(location: str, cache: Path) -> BundleSource:
    """The source that a location names: s3://… or a folder."""
    return S3Source(location, cache) if location.startswith(S3) else DirectorySource(Path(location))


def _whole(folder: Path) -> bool:
    try:
        verify(folder, for_serving=True)
    except (MissingArtifact, BundleRefused):  # an interrupted copy, or a disk that lies: it is fetched again
        return False
    return True


def _close(files: dict[str, int]) -> None:
    for file in files.values():
        os.close(file)


@contextmanager
def _locked(path: Path, wait: int = 0) -> Iterator[None]:
    """wait: fcntl.LOCK_NB raises BlockingIOError instead of waiting."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | wait)  # released with the file, also when the process dies
        yield

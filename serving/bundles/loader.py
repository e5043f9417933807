"""From a source to a bundle that has already answered: fetched, verified, loaded, tried."""

import ctypes
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import faiss
import numpy as np
import onnxruntime
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from contracts.bundle.golden import golden_from
from contracts.bundle.manifest import GOLDEN
from contracts.errors import BundleRefused, TandemError
from serving.bundles.bundle import LoadedBundle, from_files
from serving.bundles.sealed_files import SealedFiles
from serving.bundles.soundness import check_sound
from serving.bundles.sources import BundleSource
from serving.runtime.huge_pages import use_huge_pages

DTYPES = {"tensor(float)": np.float32, "tensor(int32)": np.int32, "tensor(int64)": np.int64}
Finish = Callable[[LoadedBundle], LoadedBundle]
"""What is laid over a bundle before it serves, such as items that are newer than it."""


class Loader:
    """Loads bundles of one source, one after the other, in the thread that asks."""

    def __init__(
        self, source: BundleSource, keys: Sequence[Ed25519PublicKey] = (), finish: Finish | None = None
    ) -> None:
        """keys: one of them must have signed a bundle; without keys signatures are not looked at."""
        self.source = source
        self._keys = keys
        self.finish = finish

    def load(self, version: str | None = None) -> LoadedBundle:
        """The bundle that the source names, or another version in the same place, ready to answer.

        Raises MissingArtifact where it cannot be had and BundleRefused where it must not serve.
        """
        faiss.omp_set_num_threads(1)  # of this thread, which may be another than the one that answers
        folder = self.source.fetch(version)
        try:
            files = SealedFiles(folder, self._keys)
            if version is not None and files.manifest.bundle_version != version:
                raise BundleRefused(f"Bundle {version} is refused: it holds {files.manifest.bundle_version}.")
            golden = golden_from(files.read(GOLDEN)) if files.has(GOLDEN) else None
            bundle = tried(check_sound(from_files(files), golden))
            bundle = self.finish(bundle) if self.finish else bundle
            give_back_memory()
            use_huge_pages()
            return bundle
        except TandemError:
            raise
        except Exception as error:  # parsers and runtimes raise what they like; each means that it cannot serve
            raise BundleRefused(f"Bundle {folder.name} is refused: it cannot be loaded ({error}).") from error


def give_back_memory() -> None:
    """Returns to the system what loading held for a moment: a tenth of the process with 50,000 items."""
    with suppress(OSError, AttributeError):  # not every C library offers it
        ctypes.CDLL(None).malloc_trim(0)


def tried(bundle: LoadedBundle) -> LoadedBundle:
    """The bundle, after each part has computed once: first allocations are made, and parts that raise are found."""
    for session in (bundle.query_tower, bundle.ranker):
        session.run(None, {one.name: _zeros(one) for one in session.get_inputs()})
    bundle.nearest(np.zeros(bundle.manifest.embedding_dim, np.float32), bundle.plan.num_nearest)
    return bundle


def _zeros(described: onnxruntime.NodeArg) -> Any:
    shape = [size if isinstance(size, int) else 1 for size in described.shape]  # names are free dimensions
    return np.zeros(shape, DTYPES[described.type])

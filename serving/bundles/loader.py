"""From a source to a bundle that has already answered: fetched, verified, loaded, tried."""

import ctypes
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import faiss
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from contracts.bundle.manifest import require_version
from contracts.errors import BundleRefused, TandemError
from serving.bundles.bundle import LoadedBundle, from_files
from serving.bundles.sealed_files import SealedFiles
from serving.bundles.soundness import answering, tried
from serving.bundles.sources import BundleSource
from serving.bundles.trial import Trial
from serving.resilience.run_limit import Run, without_limit
from serving.runtime.huge_pages import use_huge_pages


class Loader:
    """Loads bundles of one source in the thread that asks."""

    def __init__(
        self,
        source: BundleSource,
        keys: Sequence[Ed25519PublicKey] = (),
        trial: Trial | None = None,
        run: Run = without_limit,
    ) -> None:
        """keys: one of them must have signed a bundle; without keys signatures are not looked at.

        trial: where a bundle is tried first; without one it is tried in this process. run: how its models are run.
        """
        self.source = source
        self._keys = keys
        self._trial = trial
        self._run = run

    def load(self, version: str | None = None) -> LoadedBundle:
        """The bundle that the source names, or another version in the same place, ready to answer.

        Raises MissingArtifact where it cannot be had and BundleRefused where it must not serve.
        """
        faiss.omp_set_num_threads(1)  # of this thread, which may be another than the one that answers
        folder = self.source.fetch(version)
        files = SealedFiles(folder, self._keys)
        if version is not None:
            require_version(files.manifest, version)
        try:
            bundle = replace(self._loaded(files), run=self._run)
            give_back_memory()
            use_huge_pages()
            return bundle
        except TandemError:
            raise
        except Exception as error:  # parsers and runtimes raise what they like; each means that it cannot serve
            raise BundleRefused(f"Bundle {folder.name} is refused: it cannot be loaded ({error}).") from error

    def _loaded(self, files: SealedFiles) -> LoadedBundle:
        if self._trial is not None:
            self._trial.require(files)
            return tried(from_files(files))
        bundle = answering(files)
        files.check_rest()
        return bundle


def give_back_memory() -> None:
    """Returns to the system what loading held for a moment: a tenth of the process with 50,000 items."""
    with suppress(OSError, AttributeError):  # not every C library offers it
        ctypes.CDLL(None).malloc_trim(0)

"""Tries a bundle in a process of its own before the server loads it.

A model is a program: a graph may loop without end, or ask for more memory than there is. Here that ends a process that
answers nobody. The server loads what has passed, and nothing else: the bytes are held to the same manifest.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Final

from contracts.errors import BundleRefused
from serving.bundles.proofs import Proofs
from serving.bundles.sealed_files import SealedFiles

REFUSED: Final = 3
"""Exit code of a trial that says in its output why; every other one but 0 is an end that nobody has written down."""
LONGEST_REASON: Final = 4000
PROCESS: Final = "serving.bundles.trial_process"


@dataclass(frozen=True)
class TrialLimits:
    """What one trial may use."""

    seconds: float = 120.0
    megabytes: int = 4096


class Trial:
    """Tries whether a bundle loads and answers, in a process that answers nobody."""

    def __init__(self, limits: TrialLimits, proofs: Proofs | None = None) -> None:
        """proofs: of bundles that this machine has tried before; without them each is tried every time."""
        self._limits = limits
        self._proofs = proofs

    def require(self, files: SealedFiles) -> None:
        """Returns for a bundle that loads and answers within the limits. Raises BundleRefused with the reason."""
        if self._proofs and self._proofs.has(files.digest):
            return
        version, limits = files.manifest.bundle_version, self._limits
        command = [sys.executable, "-m", PROCESS, str(files.folder), files.digest, json.dumps(vars(limits))]
        try:
            done = subprocess.run(command, capture_output=True, timeout=limits.seconds, check=False)
        except subprocess.TimeoutExpired as error:
            raise BundleRefused(
                f"Bundle {version} is refused: it did not load and answer within {limits.seconds:g} s "
                "(TANDEM_BUNDLE_TRIAL_SECONDS)."
            ) from error
        except OSError as error:
            raise BundleRefused(
                f"Bundle {version} is refused: no process can be started to try it ({error})."
            ) from error
        if done.returncode != 0:
            raise BundleRefused(_reason(version, done, limits))
        if self._proofs:
            self._proofs.keep(files.digest)


def _reason(version: str, done: "subprocess.CompletedProcess[bytes]", limits: TrialLimits) -> str:
    said = done.stdout.decode("utf-8", "replace").strip()[:LONGEST_REASON]
    if done.returncode == REFUSED and said:
        return said
    how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
    return (
        f"Bundle {version} is refused: the process that tried it ended with {how}, as one does that needs more than "
        f"{limits.megabytes:,} MB (TANDEM_BUNDLE_TRIAL_MEGABYTES) or whose model is broken."
    )

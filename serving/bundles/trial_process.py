"""The process of one trial: `python -m serving.bundles.trial_process FOLDER DIGEST LIMITS`, started by trial.py."""

import json
import os
import resource
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from contracts.errors import BundleRefused
from serving.bundles.sealed_files import SealedFiles
from serving.bundles.soundness import answering
from serving.bundles.trial import REFUSED, TrialLimits

OF_MEMORY: Final = ("bad_alloc", "Unable to allocate", "Failed to allocate", "length_error", "rc=12")
"""In the texts of NumPy, FAISS and ONNX Runtime."""


def limit_this_process(limits: TrialLimits) -> None:
    """From here on this process ends before the server does: by memory, by time, and where the machine has no more."""
    size = limits.megabytes << 20
    # Memory that can be written to. RLIMIT_AS counts what libraries only reserve and map, which is gigabytes with CUDA.
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))
    seconds = int(limits.seconds) + 1  # where the server that would end it is gone
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):  # not on every system
        Path("/proc/self/oom_score_adj").write_text("1000")


def refused_because(folder: Path, digest: str, limits: TrialLimits) -> str | None:
    """Why the bundle cannot serve, or None where it has loaded and answered."""
    try:
        files = SealedFiles(folder)  # whose signature the server has checked over the same bytes
        if files.digest != digest:
            return f"Bundle {folder.name} is refused: its manifest changed while it was read."
        bundle = answering(files)
        bundle.candidate_tower.embed({})
        files.check_rest()
    except BundleRefused as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - parsers and runtimes raise what they like
        if isinstance(error, MemoryError) or any(sign in str(error) for sign in OF_MEMORY):
            return (
                f"Bundle {folder.name} is refused: it needs more than {limits.megabytes:,} MB of memory to load and "
                "answer (TANDEM_BUNDLE_TRIAL_MEGABYTES)."
            )
        return f"Bundle {folder.name} is refused: it cannot be loaded ({error})."
    return None


def main(arguments: Sequence[str]) -> int:
    """FOLDER DIGEST LIMITS: exit code 0, or REFUSED with the reason on the standard output."""
    folder, digest, limits = Path(arguments[0]), arguments[1], TrialLimits(**json.loads(arguments[2]))
    limit_this_process(limits)
    said = refused_because(folder, digest, limits)
    if said is not None:
        sys.stdout.write(said)
        sys.stdout.flush()
    os._exit(0 if said is None else REFUSED)  # nothing here is worth the half second that libraries take to end


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

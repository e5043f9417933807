"""What both signatures of a bundle say: by a server that trusts one key, and by the program `model_signing`."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from contracts.bundle.files import MANIFEST, MODEL_SIGNATURE, SIGNATURE


def checked(bundle: Path, public_key: Path) -> tuple[bool, str]:
    """What `model_signing verify key` says of a bundle: whether it ended well, and its words."""
    command = [sys.executable, "-m", "model_signing", "verify", "key", str(bundle)]
    options = ["--signature", str(bundle / MODEL_SIGNATURE), "--public_key", str(public_key)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout + done.stderr


def _alter(bundle: Path) -> None:
    (bundle / "items.npz").write_bytes(b"other")


def _remove(bundle: Path) -> None:
    (bundle / "ranker.onnx").unlink()


def _add(bundle: Path) -> None:
    (bundle / "extra").write_bytes(b"more")


def _reword(bundle: Path) -> None:
    (bundle / MANIFEST).write_text((bundle / MANIFEST).read_text() + " ")


def _sign_otherwise(bundle: Path) -> None:
    (bundle / SIGNATURE).write_text("another")


CHANGES: Final[Mapping[str, Callable[[Path], None]]] = {
    "a file altered": _alter,
    "a file removed": _remove,
    "a file added": _add,
    "the manifest reworded": _reword,
    "our signature replaced": _sign_otherwise,
}
"""What somebody may do to a bundle after it was signed."""

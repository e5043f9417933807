"""`python -m tests.training.release.signatures ROOT`: the bundle that serves in ROOT, signed both ways, then altered.

A line for each signature that is verified or refused. Exit code 1 where one is not what it must be.
"""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import shorten
from typing import Final

from contracts.bundle.files import CURRENT, MODEL_SIGNATURE, SIGNATURE
from contracts.errors import TandemError
from serving.bundles.loader import Loader
from serving.bundles.signature import public_keys
from serving.bundles.sources import DirectorySource
from tests.support.bundles.signatures import CHANGES, checked
from training.release.model_signature import new_model_key, signers
from training.release.signing import new_key

Says = Callable[[Path], str]
"""Why a bundle is refused, in words; empty where it is taken."""
LONGEST: Final = 160
"""Characters of a reason that are shown."""


def lines(bundle: Path, folder: Path) -> Iterator[tuple[bool, str]]:
    """Whether each is as it must be, and its line. folder: for keys and copies."""
    ours = new_key(folder / "ours.pem")
    public = new_model_key(folder / "model.pem")
    signed = copied(bundle, folder / "signed")
    sign = signers(folder / "ours.pem", folder / "model.pem")
    assert sign is not None
    sign(signed)
    server, program = by_server(ours), by_program(public)
    strangers = by_server(new_key(folder / "other.pem")), by_program(new_model_key(folder / "stranger.pem"))
    yield line("Ed25519, by a server", "unsigned", server(copied(bundle, folder / "unsigned")), refused=True)
    for kind, says, stranger in (
        ("Ed25519, by a server", server, strangers[0]),
        ("OpenSSF, by model_signing", program, strangers[1]),
    ):
        yield line(kind, "signed", says(signed), refused=False)
        yield line(kind, "of another key", stranger(signed), refused=True)
        for name, change in CHANGES.items():
            altered = folder / f"{kind} {name}" / bundle.name
            shutil.copytree(signed, altered)
            change(altered)
            yield line(kind, name, says(altered), refused=True)


def copied(bundle: Path, to: Path) -> Path:
    """A copy without signatures, under the bundle's own name."""
    return Path(shutil.copytree(bundle, to / bundle.name, ignore=shutil.ignore_patterns(SIGNATURE, MODEL_SIGNATURE)))


def by_server(public_key: str) -> Says:
    """What a server that trusts this key says when it is to load a bundle."""

    def says(bundle: Path) -> str:
        try:
            Loader(DirectorySource(bundle), public_keys(public_key)).load()
        except TandemError as error:
            return str(error)
        return ""

    return says


def by_program(public_key: Path) -> Says:
    """What `model_signing verify key` says of a bundle."""

    def says(bundle: Path) -> str:
        well, words = checked(bundle, public_key)
        return "" if well else words

    return says


def line(kind: str, what: str, why: str, *, refused: bool) -> tuple[bool, str]:
    """Whether a bundle was refused as it must be, and the line that says so."""
    said = f"refused: {shorten(why, LONGEST, placeholder=' …')}" if why else "verified"
    return bool(why) == refused, f"signature {kind:26} {what:24} {said}"


def main() -> int:
    """Prints each line."""
    bundle = (Path(sys.argv[1]) / "bundles" / CURRENT).resolve()
    if not bundle.is_dir():
        sys.stderr.write(f"{bundle} is not there: make demo CHECK=full makes it\n")
        return 1
    wrong = 0
    with TemporaryDirectory() as name:
        for right, text in lines(bundle, Path(name)):
            sys.stdout.write(f"{text}{'' if right else '   WRONG'}\n")
            wrong += not right
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())

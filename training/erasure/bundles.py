"""Removes a person from the bundles' lists of users: the same bundle without the name, under a new version.

Weights stay as they are: what they have learned ends with the bundle's life (contracts/bundle/retirement.py). In the
list of users a name by chance takes the place of the id, so that nobody's request reaches that row any more.
"""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts.bundle.files import EVALUATION, MANIFEST, MODEL_SIGNATURE, SIGNATURE, VOCABULARIES
from contracts.bundle.manifest import read_manifest, seal, write_bundle
from contracts.bundle.promotions import bundle_versions, exchange
from contracts.bundle.retirement import learned, note_retiring
from contracts.erasure.receipt import LearnedFrom
from contracts.errors import BundleRefused, InvalidInput
from contracts.features.names import USER_ID
from training.erasure.tables import erase_json, erase_parquet
from training.release.model_signature import signers
from training.release.signing import Sign

REWRITTEN: Final = (VOCABULARIES, EVALUATION)
SET_BY_SEAL: Final = frozenset({"files", "bundle_version", "contract_version", "schema_hash", "manifest_sha256"})


@dataclass(frozen=True)
class Renamed:
    """A bundle that replaces another one."""

    before: str
    now: LearnedFrom


@dataclass(frozen=True)
class SigningKeys:
    """Files with the private keys of the two kinds of signatures that a bundle may have."""

    bundle: Path | None = None  # of manifest.sig, and of receipts
    model: Path | None = None  # of model.sig

    def refuse_what_they_cannot_sign(self, bundle: Path) -> None:
        """Raises InvalidInput for a bundle with a signature that none of these keys can make again."""
        for name, key, option in (
            (SIGNATURE, self.bundle, "--sign-key"),
            (MODEL_SIGNATURE, self.model, "--model-sign-key"),
        ):
            if key is None and (bundle / name).is_file():
                raise InvalidInput(
                    f"Bundle {bundle.name} names the person and has {name}: without the name it needs a new one. Give "
                    f"the key that it was signed with, {option} FILE."
                )


def naming(bundles: Path, user_id: str) -> list[str]:
    """Versions that have learned from the person: the id is in their lists of users."""
    return [version for version in bundle_versions(bundles) if _names(bundles / version, user_id)]


def without_name(
    bundles: Path, versions: Sequence[str], user_id: str, stand_in: str, keys: SigningKeys, life_days: float
) -> list[Renamed]:
    """Seals each bundle anew without the id, puts it into the place of the old one, and removes that.

    Raises before anything is changed: InvalidInput where one is signed and there is no key to sign it again, and
    BundleRefused for one that this release cannot seal again, such as one of another contract; it can be removed.
    """
    for version in versions:
        read_manifest(bundles / version)
        keys.refuse_what_they_cannot_sign(bundles / version)
    sign = signers(keys.bundle, keys.model)
    renamed = [_renamed(bundles, version, user_id, stand_in, sign, life_days) for version in versions]
    if renamed:
        note_retiring(bundles, [one.now for one in renamed], [one.before for one in renamed])
    return renamed


def _renamed(bundles: Path, version: str, user_id: str, stand_in: str, sign: Sign | None, life_days: float) -> Renamed:
    old = bundles / version
    manifest = read_manifest(old)
    with write_bundle(bundles) as folder:
        for name in manifest.files:
            source, target = old / name, folder / name
            if not source.is_file():  # a copy for serving lacks some
                raise BundleRefused(f"Bundle {version} lacks {name}, so it cannot be sealed again without the name.")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target) if name in REWRITTEN else os.link(source, target)
        erase_json(folder / VOCABULARIES, user_id, stand_in)
        if (folder / EVALUATION).is_file():
            erase_parquet(folder / EVALUATION, user_id, None)
        fields = {name: value for name, value in manifest if name not in SET_BY_SEAL}
        fields["example_user_ids"] = [one for one in manifest.example_user_ids if one != user_id]
        sealed = seal(folder, sign, **fields)
    if sealed.name != version:
        exchange(bundles, version, sealed.name)
        shutil.rmtree(old)
    return Renamed(version, learned(read_manifest(sealed), life_days))


def _names(bundle: Path, user_id: str) -> bool:
    """Whether the id is in a list of users, whatever release has made the bundle and whether it could still serve."""
    lists = ((MANIFEST, "example_user_ids"), (VOCABULARIES, USER_ID))
    files = {name: bundle / name for name, _ in lists if (bundle / name).is_file()}
    return any(user_id in json.loads(files[name].read_bytes()).get(key, []) for name, key in lists if name in files)

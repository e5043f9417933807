"""Who gets which of two bundles: drawn once per user, the same on every server, without a list of users."""

from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.api.limits import BundleVersion
from contracts.errors import InvalidInput, faults_of
from contracts.yaml_keys import load_texts

CHALLENGER: Final = "challenger"
VARIANT_HEADER: Final = "x-tandem-variant"
"""Request header that forces a variant: for looking at it, and outside of the experiment's figures."""


class Experiment(BaseModel):
    """One challenger that answers a share of the users instead of the bundle that serves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=64)]
    challenger: BundleVersion  # a bundle version in the same folder as the one that serves
    share: Annotated[float, Field(ge=0, le=1)]  # of the users, who get the challenger
    salt: str = ""  # decides which users are in the share; empty: the name, so each experiment draws other users

    def gets_challenger(self, user_id: str) -> bool:
        """Whether this user is in the share. A larger share keeps all who were in the smaller one."""
        return position(user_id, self.salt or self.name) < self.share


def position(user_id: str, salt: str) -> float:
    """Where a user stands in [0, 1): uniform over users, independent between salts."""
    digest = blake2b(f"{salt}\0{user_id}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest) >> 11) / 2**53  # 53 bits are what a float holds, so 1.0 is never reached


def read_experiment(path: Path) -> Experiment:
    """The experiment in a YAML file. Raises InvalidInput naming every fault at once."""
    try:
        # Every value as its text: a version may be all digits, or have one e among them, which YAML takes for a number.
        return Experiment.model_validate(load_texts(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidInput(f"Cannot read the experiment in {path}: {error}") from error
    except ValidationError as error:
        faults = "; ".join(faults_of(error, of=Experiment))
        raise InvalidInput(
            f"{path} is not an experiment: {faults}. Expected name, challenger (a bundle version), share (0 to 1) and "
            "maybe salt."
        ) from error

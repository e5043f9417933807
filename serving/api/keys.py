"""The keys of one server: what each may do, read again when their file changes."""

import logging
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError

from contracts.errors import InvalidInput, faults_of
from contracts.yaml_keys import load
from serving.runtime.file_stamp import FileChanges
from serving.settings import MIN_KEY_LENGTH, ServingSettings

LOOK_SECONDS: Final = 1.0


class Scope(StrEnum):
    """What a caller may be allowed to do."""

    LISTS = "lists"  # recommendations, related items, the models of KServe's protocols
    HISTORY = "history"  # what a user did, and explanations, which say it too
    EVENTS = "events"  # post interactions
    CATALOGUE = "catalogue"  # post items
    ADMIN = "admin"  # change what serves
    METRICS = "metrics"
    ERASE = "erase"  # take a person out of every store, for good
    ROLLOUT = "rollout"  # lists that are shown to nobody, and count in a canary's figures all the same


OWN_KEY: Final = "TANDEM_API_KEY"
EVERY_SCOPE: Final = frozenset(Scope)


class Key(BaseModel):
    """One line of the file: who holds the key, and what it opens."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    key: Annotated[SecretStr, Field(min_length=MIN_KEY_LENGTH)]
    scopes: Annotated[list[Scope], Field(min_length=1)]


KEYS = TypeAdapter(list[Key])


@dataclass(frozen=True)
class Holder:
    """Who holds a key, by name, and what it opens."""

    name: str
    scopes: frozenset[Scope]


def read_keys(path: Path) -> dict[str, Holder]:
    """Holders by key. Raises InvalidInput naming every fault, and no key."""
    try:
        keys = KEYS.validate_python(load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"The keys in {path} cannot be read: {error}.") from error
    except yaml.YAMLError as error:  # its text shows the lines around the fault, which may hold a key
        raise InvalidInput(f"The keys in {path} cannot be read: it is not YAML, or has a key twice.") from error
    except ValidationError as error:
        faults = "; ".join(faults_of(error, "file", of=list[Key]))
        raise InvalidInput(f"{path} holds no keys: {faults}. Expected a list of name, key and scopes.") from error
    return {one.key.get_secret_value(): Holder(one.name, frozenset(one.scopes)) for one in keys}


class KeyRing:
    """The key of TANDEM_API_KEY, which opens everything, and the keys of a file.

    The file may change while the server runs: an added key opens at once, a removed one is refused within LOOK_SECONDS.
    """

    def __init__(self, settings: ServingSettings) -> None:
        """Raises InvalidInput for a file that cannot be used."""
        own = settings.api_key.get_secret_value() if settings.api_key else ""
        self._own = {own: Holder(OWN_KEY, EVERY_SCOPE)} if own else {}
        self._file = settings.api_keys
        self._changes = FileChanges(self._file, LOOK_SECONDS) if self._file else None
        self._holders = self._own | (read_keys(self._file) if self._file else {})

    def __bool__(self) -> bool:
        """Whether keys are asked for; a file without a key asks for one that nobody has."""
        return bool(self._own) or self._file is not None

    def scopes(self, key: str) -> frozenset[Scope] | None:
        """What a key opens, or None for one that is not known."""
        found = self.holder(key)
        return found.scopes if found else None

    def holder(self, key: str) -> Holder | None:
        """Who holds a key. Python looks strings up by a hash with a secret: how long it takes says nothing of a key."""
        self._look()
        return self._holders.get(key)

    def _look(self) -> None:
        if self._file is None or self._changes is None or not self._changes.happened():
            return
        try:
            self._holders = self._own | read_keys(self._file)
        except InvalidInput as error:
            logging.getLogger(__name__).error("The keys stay as they were: %s", error)

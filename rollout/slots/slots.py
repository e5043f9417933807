"""The two slots of a release and who gets how much traffic. What differs between KServe's modes lies behind this."""

from dataclasses import dataclass
from typing import Final, Protocol

from rollout.cluster.objects import ClusterProblem, Object

BLUE: Final = "blue"
GREEN: Final = "green"
BUNDLE_VARIABLE: Final = "TANDEM_BUNDLE_DIR"
DOWNLOAD_VARIABLE: Final = "STORAGE_URI"  # where KServe downloads, the server's own variable never changes
VARIANT_VARIABLE: Final = "TANDEM_VARIANT"
CONTAINER: Final = "kserve-container"


@dataclass(frozen=True)
class Readiness:
    """Whether every pod of a slot serves what was asked, and if not, what is missing."""

    ready: bool
    sentence: str


class Slots(Protocol):
    """Everything is idempotent: a killed controller repeats its last act."""

    def stable(self) -> str:
        """The slot that gets the most traffic."""

    def bundle(self, slot: str) -> str | None:
        """What a slot serves or will serve; None for a slot that is not there yet."""

    def put(self, slot: str, bundle: str) -> None:
        """Asks a slot without traffic to serve another bundle."""

    def readiness(self, slot: str, bundle: str) -> Readiness:
        """Whether the slot serves that bundle."""

    def share(self, canary: str, percent: int) -> None:
        """Gives the canary its percent and the other slot the rest."""

    def headers(self, slot: str) -> dict[str, str]:
        """Request headers that force a slot, whatever the weights are."""


def other(slot: str) -> str:
    """The other slot."""
    return GREEN if slot == BLUE else BLUE


def container_of(service: Object) -> Object:
    """The predictor's container of an InferenceService. Raises ClusterProblem when there is none."""
    containers: list[Object] = service["spec"]["predictor"].get("containers", [])
    named = [container for container in containers if container.get("name") == CONTAINER]
    if not named:
        raise ClusterProblem(f"InferenceService {service['metadata']['name']} has no container {CONTAINER}")
    return named[0]


def variable(container: Object, name: str) -> str | None:
    """Value of an environment variable of a container."""
    return next((entry.get("value") for entry in container.get("env", []) if entry["name"] == name), None)


def bundle_of(container: Object) -> str | None:
    """What a container serves, or will once its pods are replaced."""
    return variable(container, DOWNLOAD_VARIABLE) or variable(container, BUNDLE_VARIABLE)


def set_bundle(container: Object, bundle: str) -> None:
    """Asks for another bundle, in the variable that says so already."""
    set_variable(container, DOWNLOAD_VARIABLE if variable(container, DOWNLOAD_VARIABLE) else BUNDLE_VARIABLE, bundle)


def set_variable(container: Object, name: str, value: str) -> None:
    """Changes the variable in its place; order matters to nobody but to the reader of a diff."""
    entries: list[Object] = container.setdefault("env", [])
    entry = next((entry for entry in entries if entry["name"] == name), None)
    if entry is None:
        entries.append({"name": name, "value": value})
    else:
        entry.pop("valueFrom", None)
        entry["value"] = value


def condition(service: Object, name: str) -> tuple[bool, str]:
    """Whether a condition of the status is true, and the reason that it gives."""
    found = [entry for entry in service.get("status", {}).get("conditions", []) if entry["type"] == name]
    if not found:
        return False, f"{name} is not reported yet"
    return found[0]["status"] == "True", found[0].get("message") or found[0].get(
        "reason"
    ) or f"{name} is {found[0]['status']}"

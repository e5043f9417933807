"""A release's steps, waits and thresholds. One file, read once; camelCase, like all values of a chart."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from contracts.errors import InvalidInput, faults_of
from contracts.yaml_keys import load

Share = Annotated[float, Field(ge=0, le=1)]
Alpha = Annotated[float, Field(gt=0, lt=1)]
Seconds = Annotated[float, Field(gt=0)]


class GateName(StrEnum):
    """Gates that judge a canary; a gate that is not listed in the settings is not asked."""

    LATENCY = "latency"
    ERRORS = "errors"
    EMPTY = "empty"
    DEGRADED = "degraded"
    ANSWERED = "answered"
    OVERLAP = "overlap"
    COVERAGE = "coverage"
    CLICKS = "clicks"


class Mode(StrEnum):
    """How KServe was installed, which says who splits the traffic."""

    STANDARD = "Standard"  # two InferenceServices and the weights of an HTTPRoute
    KNATIVE = "Knative"  # one InferenceService and its canaryTrafficPercent


class Part(BaseModel):
    """Base of all parts: a key that nobody reads is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Thresholds(Part):
    """What the gates compare with. alpha is the chance per gate and step that a canary as good as stable is aborted."""

    gates: tuple[GateName, ...] = Field(tuple(GateName), min_length=1)  # nothing asked would mean always promoted
    alpha: Alpha = 0.01
    min_requests: int = Field(200, ge=1)  # of the canary in a step, before a gate may call it successful
    max_p99_ratio: float = Field(1.25, ge=1)  # canary's p99 over stable's
    p99_slack_seconds: float = Field(0.005, ge=0)  # added to that: a ratio of two very small times says little
    error_margin: Share = 0.005  # share of 5xx answers above stable's
    empty_margin: Share = 0.005  # share of empty lists above stable's
    degraded_margin: Share = 0.02  # share of degraded answers above stable's
    min_mirrored_users: int = Field(30, ge=1)  # answered by both slots, before overlap and coverage are judged
    min_overlap: Share = 0.1  # mean overlap@k with stable for the same users; below it something is broken, not better
    min_coverage_ratio: Share = 0.5  # canary's distinct items over stable's, for the same users
    min_clicks: int = Field(30, ge=1)  # of both slots in a step, before a click rate is judged
    tolerated_click_drop: Share = 0.02  # of stable's click rate; a smaller drop does not abort
    expected_click_drop: float = Field(0.2, gt=0, le=1)  # of stable's click rate; the drop the test finds soonest
    click_dispersion: float = Field(
        1.0, ge=1
    )  # variance of clicks a list, relative to one coin toss; above 1 if lists get several


class Metrics(Part):
    """Where the numbers come from."""

    prometheus_url: str = "http://prometheus-server"
    matchers: str = ""  # more PromQL matchers, such as namespace="shop", where several releases share one Prometheus
    routes: str = (
        "/recommendations/.*|/items/.*|.*:predict|.*/infer"  # regular expression; probes and pages are no traffic
    )
    click_events: str = "click|view"  # regular expression over event_type


class Mirror(Part):
    """The same users asked of both slots."""

    url: str = ""  # gateway, as the controller reaches it; without it the mirrored gates must not be listed
    host: str = ""  # Host header, where the gateway routes by name
    requests_per_analysis: int = Field(50, ge=1, le=1000)
    users_file: Path | None = None  # one user id a line; without it the few example users of stable's bundle
    k: int = Field(10, ge=1, le=100)
    # Holds a key with the scopes rollout, lists and history: without one a server with keys records mirrored lists as
    # shown, and does not compare them. Its first line counts.
    key_file: Path | None = None

    def headers(self) -> dict[str, str]:
        """Headers with the key. Raises InvalidInput when the file cannot be read or is empty."""
        if self.key_file is None:
            return {}
        try:
            key = self.key_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"mirror.keyFile {self.key_file} cannot be read: {error}") from error
        if not key:
            raise InvalidInput(f"mirror.keyFile {self.key_file} is empty; a key with the scope rollout is asked")
        return {"Authorization": f"Bearer {key}"}

    def users(self) -> list[str]:
        """The user ids of the file; none without one. Raises InvalidInput when it cannot be read or is empty."""
        if self.users_file is None:
            return []
        try:
            users = self.users_file.read_text().split()
        except OSError as error:
            raise InvalidInput(f"mirror.usersFile {self.users_file} cannot be read: {error.strerror}") from error
        if not users:
            raise InvalidInput(f"mirror.usersFile {self.users_file} is empty; one user id a line is asked")
        return users


MIRRORED = (GateName.ANSWERED, GateName.OVERLAP, GateName.COVERAGE)


class RolloutSettings(Part):
    """One release process."""

    mode: Mode = Mode.STANDARD
    steps: tuple[Annotated[int, Field(ge=1, le=99)], ...] = (1, 5, 25, 50)  # canary's percent; 100 follows the last
    interval_seconds: Seconds = 60  # between two analyses
    analyses_per_step: int = Field(3, ge=1)  # successful ones, before the next step
    failure_limit: int = Field(0, ge=0)  # failed analyses in a step that are forgiven
    patience_seconds: Seconds = (
        24 * 3600
    )  # of inconclusive analyses in a step, before the controller leaves it to people
    ready_seconds: Seconds = 600  # for the new bundle to be loaded by all pods of its slot
    claim_seconds: Seconds = 15  # without a sign from a controller, before another may take over
    analysis: Thresholds = Thresholds()
    metrics: Metrics = Metrics()
    mirror: Mirror = Mirror()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.steps or list(self.steps) != sorted(set(self.steps)):
            raise ValueError("steps must be percents that rise, such as [1, 5, 25, 50]; 100 follows by itself")
        return self

    def refuse_unanswerable_gates(self) -> None:
        """Raises InvalidInput when a gate is listed that would wait for ever. Only what analyses has to ask this."""
        asked = [gate for gate in self.analysis.gates if gate in MIRRORED]
        if asked and not self.mirror.url:
            raise InvalidInput(f"the gates {', '.join(asked)} need mirror.url, the gateway's address; {_OR_FEWER}")
        compared = [gate for gate in asked if gate is not GateName.ANSWERED]
        needed = self.analysis.min_mirrored_users
        if compared and len(set(self.mirror.users())) < needed:
            raise InvalidInput(
                f"the gates {', '.join(compared)} need mirror.usersFile with {needed} user ids or more "
                f"(analysis.minMirroredUsers), one a line; {_OR_FEWER}"
            )


_OR_FEWER = "give it, or leave these gates out of analysis.gates"


def load_settings(path: Path | None) -> RolloutSettings:
    """The settings of a YAML file, or the defaults. Raises InvalidInput naming every key that cannot be used."""
    try:
        given = load(path.read_text()) if path else {}
        return RolloutSettings.model_validate(given or {})
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise InvalidInput(f"{path} cannot be read as YAML: {error}") from error
    except ValidationError as error:
        faults = "; ".join(faults_of(error, "settings", of=RolloutSettings))
        raise InvalidInput(f"rollout settings {path or '(defaults)'}: {faults}") from error

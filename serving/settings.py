"""Settings of the server, read once from TANDEM_* environment variables."""

from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.errors import InvalidInput, faults_of
from contracts.features.feedback import NOT_INTERESTED_DAYS

MIN_KEY_LENGTH = 16


class Clock(StrEnum):
    """What "now" is for recency features."""

    WALL = "wall"
    DATA = "data"


class ServingSettings(BaseSettings):
    """One server. Command line options of `tandem serve` set the same fields."""

    model_config = SettingsConfigDict(
        env_prefix="TANDEM_",
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,  # compose files and charts set a variable that is left out to nothing
    )

    @model_validator(mode="before")
    @classmethod
    def _written(cls, given: Any) -> Any:
        """What is only blanks is left out, too: a variable may be filled from a file with nothing but a line end."""
        return {name: value for name, value in given.items() if not (isinstance(value, str) and value.isspace())}

    bundle_dir: str = "bundles/current"  # a folder, a link that may move, or s3://bucket/prefix/VERSION
    bundle_cache: Path = Path(
        "data/bundle-cache"
    )  # folder for copies of bundles from S3; a complete copy is used again
    bundle_public_key: str | None = None  # Ed25519 public keys, base64, by comma: only bundles they signed are served
    bundle_trial_seconds: float = Field(
        120, ge=1
    )  # seconds that a new bundle has to load and answer in its trial process
    bundle_trial_megabytes: int = Field(4096, ge=256)  # memory that the trial process may use
    bundle_failure_share: float = Field(
        0.5, ge=0, le=1
    )  # a bundle is left if its models fail this share of lists; 0: never
    bundle_failure_seconds: float = Field(
        60, gt=0
    )  # seconds of the window for that share, which needs at least 20 lists
    model_run_seconds: float = Field(2, gt=0)  # seconds of one run of a model; then it is ended and has failed
    experiment: Path | None = None  # YAML file with a challenger bundle and its share of the users
    api_key: SecretStr | None = Field(
        None, min_length=MIN_KEY_LENGTH
    )  # a key that opens everything; without keys only this machine may
    api_keys: Path | None = None  # YAML file with several keys and what each opens, read again when it changes
    open_scopes: str = (
        "lists"  # scopes without a key, by comma: lists, history, events, catalogue, admin, metrics; or none
    )
    lists_per_second: float = Field(0, ge=0)  # of one caller, by key or address; without a key events too; 0: no limit
    lists_at_once: float = Field(200, ge=64)  # burst of one caller before that limit holds; a body may ask for 64
    lists_in_flight: int = Field(0, ge=0)  # lists in progress for one caller at the same time; 0: no limit
    user_token_key: SecretStr | None = Field(
        None, min_length=32
    )  # secret of tokens of single users, and of the ids of lists
    trusted_proxies: int = Field(
        0, ge=0
    )  # proxies in front: a caller's address is this number of places from the right
    allowed_hosts: str = (
        ""  # host names that are answered, by comma; empty: any, on loopback only addresses and localhost
    )
    allowed_origins: str = ""  # sites whose pages may post, by comma, such as https://shop.example
    max_body_bytes: int = Field(1_048_576, ge=1024)  # bytes of one request's body
    max_header_bytes: int = Field(65_536, ge=4096)  # bytes of one request's headers, with its path and parameters
    header_seconds: float = Field(10, gt=0)  # seconds until the headers of a request are complete
    request_seconds: float = Field(30, gt=0)  # seconds until its body is complete, and for an answer to be read
    max_connections: int = Field(1000, ge=1)  # at once, over gRPC a tenth; an idle one makes room for another
    feature_repo: Path = Path("feature_repo")  # folder with feature_store.yaml
    host: str = "127.0.0.1"  # containers set 0.0.0.0
    http_port: int = Field(8080, ge=1, le=65535)
    # Longer than a gateway keeps an idle connection (Envoy 1 h, an AWS load balancer 1 min): the side that closes must
    # be the one that sends requests, or one of them meets a connection that has just been closed.
    keep_alive_seconds: int = Field(3900, ge=1)
    grpc_port: int | None = Field(None, ge=1, le=65535)  # no gRPC unless a port is given
    variant: str = Field("stable", pattern=r"^[a-z0-9_-]{1,32}$")  # name of this server in metrics and answers
    clock: Clock = Clock.WALL  # "data" stops the clock at the end of the bundle's data, for demos on historical data
    impression_log_bytes: int = Field(0, ge=0)  # bytes of the impression log and the one before it; 0: no limit
    impression_log_hours: float = Field(0, ge=0)  # hours that a record stays in these two files; 0: no limit
    impression_folder_shared: bool = (
        False  # whether the log's folder holds those of other servers; an erasure reads them
    )
    impression_log: Path | None = None  # JSON lines of shown lists, which `tandem drift` reads
    progress_file: Path | None = None  # JSON file on what is being computed for this server; the demo writes one
    event_log: str = ""  # sqlite:///path or redis://host:port/db; without one nothing can be posted
    event_log_vouched: bool = False  # the operator vouches for a Redis whose durability cannot be checked
    erasures: Path | None = None  # folder with the list of erased users; without it nobody can be erased
    bundle_life_days: float = Field(
        180, gt=0
    )  # days until a bundle that has learned from an erased person retires; receipts name the day
    receipt_key: Path | None = None  # Ed25519 private key (PEM) that signs receipts of erasures; not the bundles' key
    audit_log: Path | None = (
        None  # JSON lines of changes and their authors, chained by hashes; see `tandem audit --help`
    )
    not_interested_days: float = Field(
        NOT_INTERESTED_DAYS, gt=0
    )  # how long an item is out of the lists of a user who is not interested in it
    event_retention_days: float = Field(400.0, gt=0)  # days that events and their ids are kept
    consumer_port: int = Field(9464, ge=1, le=65535)  # port for metrics of a consumer in a process of its own
    event_consumer: bool = False  # apply events in this process too; on a cluster `tandem events consume` does
    rules: Path | None = None  # YAML file of business rules, read again when it changes; see `tandem rules --help`
    recall_sample_seconds: float = Field(
        5.0, ge=0
    )  # seconds between two searches that are repeated by brute force; 0: none
    log_level: str = "WARNING"  # INFO writes three lines a request
    # Latest starts in milliseconds after the request came; a stage that would begin later is left out of the answer.
    retrieval_deadline_ms: float = Field(100, gt=0)
    ranking_deadline_ms: float = Field(150, gt=0)
    online_store_timeout_ms: float = Field(50, gt=0)  # milliseconds for one read; then the answer is made without it
    breaker_failures: int = Field(3, ge=1)  # failures in a row before a dependency is left alone
    breaker_retry_ms: float = Field(1000, gt=0)  # milliseconds until it is tried again
    remembered_users: int = Field(10_000, ge=0)  # users whose last features are kept for when the store is down
    remembered_seconds: float = Field(3600, gt=0)  # largest age of these features
    cache_seconds: float = Field(0.0, ge=0, le=3600)  # seconds that an answer may be given again; 0 keeps none
    cache_lists: int = Field(20_000, ge=1)  # memory for answers, 5 kB each: one of ten items takes 16 kB


def read_settings(**given: Any) -> ServingSettings:
    """The settings: what is given, then TANDEM_* variables, then defaults.

    Raises InvalidInput naming every variable that cannot be used; values are left out, as one may be a secret.
    """
    try:
        return ServingSettings(**given)
    except ValidationError as error:
        faults = [fault.partition(": ") for fault in faults_of(error, of=ServingSettings)]
        named = "; ".join(f"TANDEM_{field.upper()}: {what}" if what else field for field, _, what in faults)
        raise InvalidInput(f"The server's settings cannot be used: {named}.") from error

"""Where the pipeline's files lie below one root folder; the only place that spells their names."""

from dataclasses import dataclass
from pathlib import Path

from contracts.errors import MissingArtifact

DEFINITIONS = "feature_definitions.py"
STORE = "feature_store.yaml"
"""Files of the Feast repository."""


@dataclass(frozen=True)
class Workspace:
    """Paths below root. Tests and the demo differ in root alone."""

    root: Path

    @property
    def is_made(self) -> bool:
        """Whether root is a workspace, and not just any folder."""
        return (self.root / "params.yaml").is_file() or self.bundles.is_dir()

    @property
    def data(self) -> Path:
        """Everything the pipeline writes but bundles."""
        return self.root / "data"

    @property
    def feature_repo(self) -> Path:
        """The Feast repository: feature_store.yaml and feature_definitions.py."""
        return self.root / "feature_repo"

    @property
    def bundles(self) -> Path:
        """One folder a version, and the link `current`."""
        return self.root / "bundles"

    @property
    def raw_files(self) -> Path:
        """Names and versions of the raw files, as noted before the last ingest."""
        return self.data / "raw_files.json"

    def ingested(self, table: str) -> Path:
        """events, users, items or quarantine, after ingest."""
        return self.data / "ingested" / f"{table}.parquet"

    @property
    def ingest_report(self) -> Path:
        """Rows in, kept and dropped by reason."""
        return self.data / "ingested" / "report.json"

    def feature_table(self, view: str) -> Path:
        """Rows of one feature view, with event_timestamp; feature_definitions.py reads the same paths."""
        return self.data / "features" / f"{view}.parquet"

    @property
    def timeline(self) -> Path:
        """Data end, training cutoff and snapshots, as written by the features step."""
        return self.data / "features" / "timeline.json"

    @property
    def copurchase(self) -> Path:
        """What is bought together with each item; feature_definitions.py reads the same path."""
        return self.data / "copurchase.parquet"

    @property
    def spark_staging(self) -> Path:
        """What Spark hands over to this process, until it is read; workers must be able to write there."""
        return self.data / ".spark_staging"

    @property
    def dataset(self) -> Path:
        """Point-in-time training sets."""
        return self.data / "dataset"

    @property
    def towers(self) -> Path:
        """Exported towers, embeddings per moment and the index, before they are bundled."""
        return self.data / "models" / "towers"

    @property
    def ranker(self) -> Path:
        """The exported ranker, before it is bundled."""
        return self.data / "models" / "ranker"

    def judged_ranker(self, windows: int) -> Path:
        """The exported ranker that has learned from this number of label windows, and is judged on the next one."""
        return self.ranker / f"judged-{windows}"

    @property
    def unseen_ranker(self) -> Path:
        """The exported ranker of lists that leave out what the user had, where it is not the ranker of all."""
        return self.ranker / "unseen"

    @property
    def bundle_receipt(self) -> Path:
        """Names the bundle that the last run sealed."""
        return self.data / "bundle.json"

    @property
    def metrics(self) -> Path:
        """Evaluation of the last run."""
        return self.data / "metrics.json"

    @property
    def evaluation(self) -> Path:
        """The final list's metric of each user of the test window."""
        return self.data / "evaluation.parquet"

    @property
    def impression_log(self) -> Path:
        """What a server started with `tandem serve` has shown."""
        return self.data / "impressions.jsonl"

    @property
    def event_log(self) -> str:
        """URL of the durable log of what clients have posted to such a server."""
        return f"sqlite:///{self.data / 'events.db'}"

    @property
    def erasures(self) -> Path:
        """Who was erased, as keyed hashes with their key, and the receipts; outside of data, which is made anew."""
        return self.root / "erasures"

    @property
    def audit_log(self) -> Path:
        """Who changed what, by commands here and by a server started with `tandem serve`."""
        return self.root / "audit" / "audit.jsonl"

    @property
    def reports(self) -> Path:
        """Drift and data reports for people."""
        return self.data / "reports"


def require(path: Path, command: str) -> Path:
    """The path, if an earlier step has written it.

    Raises MissingArtifact naming the command that writes it.
    """
    if not path.exists():
        raise MissingArtifact(f"{path} does not exist yet. Run `{command}` first.")
    return path


REPORT = "report.json"

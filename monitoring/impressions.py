"""The impression log, read once: rows to compare, what was shown, and every line that could not be used."""

import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pandas as pd

from contracts.api.answers import DegradedLevel
from contracts.api.records import ImpressionRecord, impression_records
from contracts.errors import MissingArtifact
from monitoring.reference import CATEGORICAL, COLUMNS, NUMERICAL
from monitoring.result import MalformedLine

NAMED_LINES: Final = 20
"""Malformed lines named one by one; all are counted."""


@dataclass
class Impressions:
    """What a log holds. Every line is a compared row, a degraded answer or malformed; none is in two of them."""

    rows: list[list[float | str]] = field(default_factory=list)  # row i: COLUMNS of the i-th full answer
    rows_by_user: Counter[str] = field(default_factory=Counter)  # full answers
    answers_by_bundle: Counter[str] = field(default_factory=Counter)  # full and degraded answers
    exposures: Counter[str] = field(default_factory=Counter)  # positions held by each item, full and degraded answers
    degraded: int = 0
    malformed: int = 0
    malformed_lines: list[MalformedLine] = field(default_factory=list)  # the first NAMED_LINES

    @property
    def lines(self) -> int:
        """All lines of the log."""
        return len(self.rows) + self.degraded + self.malformed

    def frame(self) -> pd.DataFrame:
        """The compared rows, COLUMNS in order."""
        return pd.DataFrame(self.rows, columns=list(COLUMNS)).astype(dict.fromkeys(NUMERICAL, "float64"))

    def add(self, record: ImpressionRecord | str, number: int) -> None:
        """Counts one line, number counted from 1, as compared, degraded or malformed."""
        if isinstance(record, str):
            self._reject(number, record)
            return
        full = record.degraded_level is DegradedLevel.FULL
        if full and (fault := _fault(record.features)):
            self._reject(number, fault)
            return
        self.answers_by_bundle[record.bundle_version] += 1
        self.exposures.update(record.item_ids)
        if full:
            self.rows.append([record.features[column] for column in COLUMNS])
            self.rows_by_user[record.user_id] += 1
        else:
            self.degraded += 1

    def _reject(self, number: int, reason: str) -> None:
        self.malformed += 1
        if len(self.malformed_lines) < NAMED_LINES:
            self.malformed_lines.append(MalformedLine(line=number, reason=reason))


def read_impressions(path: Path) -> Impressions:
    """Everything the log at path says, or all logs of a folder; raises MissingArtifact where there is none."""
    logs = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not logs or not all(log.is_file() for log in logs):
        raise MissingArtifact(
            f"No impression log at {path}. `tandem serve` writes one when TANDEM_IMPRESSION_LOG is set to its path."
        )
    impressions = Impressions()
    for log in logs:
        for number, record in impression_records(log):
            impressions.add(record, number)
    return impressions


def _fault(features: dict[str, float | str]) -> str | None:
    """Why the features of a full answer cannot be compared; None where they can."""
    if missing := [column for column in COLUMNS if column not in features]:
        return f"features.{missing[0]}: missing" + (f", with {len(missing) - 1} more" if len(missing) > 1 else "")
    for column in CATEGORICAL:
        if not isinstance(features[column], str):
            return f"features.{column}: not text"
    for column in NUMERICAL:
        value = features[column]
        if isinstance(value, str) or not math.isfinite(value):
            return f"features.{column}: not a finite number"
    return None

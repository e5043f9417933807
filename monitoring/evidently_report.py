"""The comparison itself: Evidently's drift report over both frames, with our PSI as its method."""

import html
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from contracts.outside_text import in_page
from monitoring.psi import METHOD, Sample, psi
from monitoring.reference import CATEGORICAL, NUMERICAL
from monitoring.result import FeatureDrift

with warnings.catch_warnings():
    # Importing Evidently 0.7.23 raises deprecations of numpy.core, of an escape sequence and of litestar's Dependency,
    # all inside its own packages; the project's tests treat warnings as errors.
    warnings.simplefilter("ignore", DeprecationWarning)
    from evidently import ColumnType, DataDefinition, Dataset, Report
    from evidently.legacy.calculations.stattests import StatTest, register_stattest
    from evidently.presets import DataDriftPreset


class FeatureReport:
    """A finished comparison: what each feature scored, and the page that shows it."""

    def __init__(self, snapshot: Any) -> None:
        self._snapshot = snapshot
        self._content = snapshot.dict()

    def features(self) -> list[FeatureDrift]:
        """One entry per feature, in the order the report was asked for."""
        failed = {
            test["metric_config"]["params"].get("column") for test in self._content["tests"] if test["status"] == "FAIL"
        }
        return [
            FeatureDrift(
                feature=metric["config"]["column"],
                method=metric["config"]["method"],
                score=metric["value"],
                threshold=metric["config"]["threshold"],
                drifted=metric["config"]["column"] in failed,
            )
            for metric in self._content["metrics"]
            if "column" in metric["config"]
        ]

    def write_html(self, path: Path, title: str, summary: Sequence[str]) -> None:
        """Writes the self-contained page, with a title and summary: Evidently's own has neither."""
        paragraphs = "".join(f"<p>{html.escape(line)}</p>" for line in summary)
        header = (
            '<header style="font-family: Roboto, sans-serif; max-width: 70em; margin: 1.5em 2em">'
            f"<h1>{html.escape(title)}</h1>{paragraphs}</header>"
        )
        page: str = self._snapshot.get_html_str(as_iframe=False)
        page = page.replace("<head>", f"<head><title>{html.escape(title)}</title>", 1)
        path.write_text(page.replace("<body>", f"<body>{header}", 1), encoding="utf-8")


def _for_page(frame: pd.DataFrame, texts: Sequence[str]) -> pd.DataFrame:
    """The frame with its texts as a page may hold them: Evidently puts them between script tags as they are."""
    return frame.assign(**{column: [in_page(str(value)) for value in frame[column]] for column in texts})


def compare(
    current: pd.DataFrame, reference: pd.DataFrame, thresholds: Mapping[str, float], drift_share: float
) -> FeatureReport:
    """Tests each feature that has a threshold, in the order of thresholds."""
    _register_psi()
    columns = list(thresholds)
    definition = DataDefinition(
        categorical_columns=[column for column in CATEGORICAL if column in columns],
        numerical_columns=[column for column in NUMERICAL if column in columns],
    )
    preset = DataDriftPreset(
        columns=columns, method=METHOD, per_column_threshold=dict(thresholds), drift_share=drift_share
    )
    texts = definition.categorical_columns or []
    shown = [_for_page(frame[columns], texts) for frame in (current, reference)]
    datasets = [Dataset.from_pandas(frame, data_definition=definition) for frame in shown]
    with warnings.catch_warnings():
        # Evidently correlates all numeric columns for a plot of its own; a constant column has no correlation.
        warnings.filterwarnings("ignore", "invalid value encountered in divide", RuntimeWarning)
        return FeatureReport(Report([preset], include_tests=True).run(*datasets))


def _register_psi() -> None:
    """Makes METHOD known to Evidently; registering it again replaces it."""
    register_stattest(
        StatTest(
            name=METHOD,
            display_name="PSI (deciles)",
            allowed_feature_types=[ColumnType.Numerical, ColumnType.Categorical],
            default_threshold=0.1,
        ),
        _drift_test,
    )


def _drift_test(reference: pd.Series, current: pd.Series, kind: ColumnType, threshold: float) -> tuple[float, bool]:
    score = psi(sample_of(reference), sample_of(current))
    return score, score >= threshold


def sample_of(column: pd.Series) -> Sample:
    """[rows] of one column, text as NumPy's own string type."""
    return column.to_numpy() if pd.api.types.is_numeric_dtype(column) else column.to_numpy().astype(np.str_)

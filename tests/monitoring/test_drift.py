"""Drift: what counts as drifted, where each line of the log goes, and what is refused.

The made-up bundle holds only what monitoring reads: a manifest and a reference sample with obvious distributions.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from prometheus_client.parser import text_string_to_metric_families

from contracts.bundle.files import REFERENCE
from contracts.bundle.manifest import seal, write_bundle
from contracts.errors import BundleRefused, DataRejected, MissingArtifact
from monitoring.drift import DriftSettings, _thresholds, drift_report
from monitoring.evidently_report import sample_of
from monitoring.exposure import exposure_gini
from monitoring.psi import bin_counts, effective_rows, noise_floor, psi
from monitoring.reference import CATEGORICAL, COLUMNS, NUMERICAL
from monitoring.result import DriftResult, Verdict

NUM_REFERENCE_ROWS = 800
NUM_ANSWERS = 400


def served_features(rows: int, seed: int) -> pd.DataFrame:
    """Two equally likely terms per profile column, log-normal statistics with a long right tail, a constant each."""
    random = np.random.default_rng(seed)
    columns = {column: random.choice(["low", "high"], rows) for column in CATEGORICAL}
    frame = pd.DataFrame(columns | {column: random.lognormal(3.0, 1.0, rows) for column in NUMERICAL})
    return frame.assign(age_band="unknown", user_discount_share_365d=0.0)


def make_bundle(folder: Path, reference: pd.DataFrame | None) -> Path:
    with write_bundle(folder) as temporary:
        if reference is not None:
            reference.to_parquet(temporary / REFERENCE)
        return seal(
            temporary,
            created_at="2026-01-01T00:00:00+00:00",
            data_end_timestamp=0.0,
            training_cutoff_timestamp=0.0,
            time_zone="UTC",
            num_items=3,
            embedding_dim=2,
            example_user_ids=["u0"],
            hyper_parameters={},
            metrics={},
        )


def answers(features: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """One full answer per row and user; item a is shown in every list, b and c in every other one."""
    for row, values in enumerate(features.to_dict("records")):
        yield {
            "request_id": f"r{row}",
            "served_at": "2026-01-02T00:00:00+00:00",
            "user_id": f"u{row}",
            "bundle_version": "b1",
            "degraded_level": "full",
            "item_ids": ["a", "b" if row % 2 else "c"],
            "scores": [1.0, 0.5],
            "features": values,
        }


def degraded(answer: dict[str, Any]) -> dict[str, Any]:
    return answer | {"degraded_level": "popularity", "features": {}}


def write_log(path: Path, *lines: dict[str, Any] | str) -> Path:
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundles"), served_features(NUM_REFERENCE_ROWS, seed=1))


@pytest.fixture(scope="module")
def shifted(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[DriftResult, Path]:
    """Spend of 28 days is doubled, everything else is as in training; three lines are malformed, two degraded."""
    folder = tmp_path_factory.mktemp("shifted")
    features = served_features(NUM_ANSWERS, seed=2)
    features["user_spend_28d"] *= 2
    full = list(answers(features))
    without_spend = full[0] | {"features": {k: v for k, v in full[0]["features"].items() if k != "user_spend_28d"}}
    text_spend = full[0] | {"features": full[0]["features"] | {"user_spend_28d": "much"}}
    bad: list[dict[str, Any] | str] = ["{torn", without_spend, text_spend]
    log = write_log(folder / "log.jsonl", *bad, *full, degraded(full[0]), degraded(full[1]))
    return drift_report(bundle, log, folder / "drift", DriftSettings()), folder / "drift"


def test_a_log_like_the_reference_reaches_no_threshold() -> None:
    reference, current = served_features(NUM_REFERENCE_ROWS, seed=1), served_features(NUM_ANSWERS, seed=3)
    thresholds = _thresholds(current, reference, NUM_ANSWERS, DriftSettings())
    scores = {column: psi(sample_of(reference[column]), sample_of(current[column])) for column in COLUMNS}
    assert [column for column in COLUMNS if scores[column] >= thresholds[column]] == []


def test_one_shifted_feature_is_the_only_drifted_one(shifted: tuple[DriftResult, Path]) -> None:
    result, _ = shifted
    assert [feature.feature for feature in result.features if feature.drifted] == ["user_spend_28d"]
    assert result.features[0].feature == "user_spend_28d"  # furthest above its threshold comes first
    assert result.drifted_features_share == pytest.approx(1 / len(COLUMNS))
    assert result.verdict is Verdict.STABLE  # one of many features is below drift_share
    scores = {feature.feature: feature.score for feature in result.features}
    assert scores.keys() == set(COLUMNS)
    assert (scores["age_band"], scores["user_discount_share_365d"]) == (0.0, 0.0)  # constant on both sides


def test_verdict_follows_the_share_of_drifted_features(bundle: Path, tmp_path: Path) -> None:
    features = served_features(NUM_ANSWERS, seed=4)
    features[list(NUMERICAL)] *= 3
    log = write_log(tmp_path / "log.jsonl", *answers(features))
    result = drift_report(bundle, log, tmp_path / "drift", DriftSettings())
    moved = set(NUMERICAL) - {"user_discount_share_365d"}  # three times nothing is nothing
    assert {feature.feature for feature in result.features if feature.drifted} == moved
    assert result.verdict is Verdict.DRIFTED


def test_every_line_is_compared_degraded_or_malformed(shifted: tuple[DriftResult, Path]) -> None:
    rows = shifted[0].rows
    assert (rows.compared, rows.degraded, rows.malformed) == (NUM_ANSWERS, 2, 3)
    assert rows.lines == NUM_ANSWERS + 2 + 3


def test_malformed_lines_are_named(shifted: tuple[DriftResult, Path]) -> None:
    torn, missing, text = shifted[0].malformed_lines
    assert (torn.line, missing.line, text.line) == (1, 2, 3)
    assert torn.reason.startswith("line: Invalid JSON")
    assert missing.reason == "features.user_spend_28d: missing"
    assert text.reason == "features.user_spend_28d: not a finite number"


def test_other_fields_of_the_log(shifted: tuple[DriftResult, Path]) -> None:
    result, _ = shifted
    assert result.degraded_share == pytest.approx(2 / (NUM_ANSWERS + 2))
    # a is in all 402 lists; rows alternate c, b and so do the two degraded ones: b 201, c 201.
    # ((2 - 4) * 201 + (4 - 4) * 201 + (6 - 4) * 402) / 804 / (3 - 1) = 402 / 1608
    assert result.exposure.gini == pytest.approx(0.25)
    assert (result.exposure.shown_items, result.exposure.positions) == (3, 804)
    assert result.answers_by_bundle == {"b1": NUM_ANSWERS + 2}
    assert (result.users, result.effective_rows) == (NUM_ANSWERS, NUM_ANSWERS)


def test_page_json_and_exposition_are_written(shifted: tuple[DriftResult, Path], bundle: Path) -> None:
    result, output = shifted
    page = (output / "drift.html").read_text()
    assert f"<title>Feature drift of bundle {bundle.name}: stable</title>" in page
    assert f"1 of {len(COLUMNS)} features drifted: user_spend_28d." in page
    assert DriftResult.model_validate_json((output / "drift.json").read_text()) == result
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families((output / "drift.prom").read_text())
        for sample in family.samples
    }
    spend = result.features[0]
    assert samples["tandem_feature_drift_score", "user_spend_28d", "psi_deciles"] == spend.score
    assert samples["tandem_feature_drift_threshold", "user_spend_28d", "psi_deciles"] == spend.threshold
    assert samples["tandem_drifted_features_share",] == result.drifted_features_share
    assert samples["tandem_drift_rows", "compared"] == NUM_ANSWERS
    assert samples["tandem_drift_rows", "degraded"] == 2
    assert samples["tandem_drift_rows", "malformed"] == 3
    assert samples["tandem_exposure_gini",] == pytest.approx(0.25)
    assert samples["tandem_degraded_answers_share",] == result.degraded_share


def test_too_few_rows_say_what_is_there_and_how_to_get_more(bundle: Path, tmp_path: Path) -> None:
    full = list(answers(served_features(3, seed=8)))
    log = write_log(tmp_path / "log.jsonl", *full, degraded(full[0]), "{torn")
    with pytest.raises(DataRejected) as caught:
        drift_report(bundle, log, tmp_path / "drift", DriftSettings(min_rows=4))
    message = str(caught.value)
    assert f"at least 4 full answers; {log} has 3 in 5 lines (1 degraded, 1 malformed, first line 5:" in message
    assert f"Serve some requests first: run `tandem serve` with TANDEM_IMPRESSION_LOG={log}" in message
    assert not (tmp_path / "drift").exists()


@pytest.mark.parametrize("column", ["user_id", "sequence_item_ids"])
def test_id_columns_are_refused(column: str, tmp_path: Path) -> None:
    reference = served_features(60, seed=9).assign(**{column: "x"})
    with pytest.raises(BundleRefused, match=f"{column} is an id, ids are never tested for drift"):
        drift_report(make_bundle(tmp_path, reference), tmp_path / "log.jsonl", tmp_path / "drift", DriftSettings())


def test_every_fault_of_a_reference_is_named(tmp_path: Path) -> None:
    reference = served_features(60, seed=10).drop(columns="top_score").assign(shoe_size=1.0, mean_score=math.nan)
    reference["age_band"] = 30
    reference["user_spend_28d"] = "much"
    with pytest.raises(BundleRefused) as caught:
        drift_report(make_bundle(tmp_path, reference), tmp_path / "log.jsonl", tmp_path / "drift", DriftSettings())
    for fault in (
        "shoe_size is not a known feature",
        "top_score is missing",
        "mean_score is not finite",
        "age_band is not all text",
        "user_spend_28d is not numeric",
    ):
        assert fault in str(caught.value)


def test_empty_or_altered_reference_is_refused(tmp_path: Path) -> None:
    empty = make_bundle(tmp_path / "empty", served_features(60, seed=11)[:0])
    with pytest.raises(BundleRefused, match="it has no rows"):
        drift_report(empty, tmp_path / "log.jsonl", tmp_path / "drift", DriftSettings())
    altered = make_bundle(tmp_path / "altered", served_features(60, seed=12))
    served_features(60, seed=13).to_parquet(altered / REFERENCE)
    with pytest.raises(BundleRefused, match="is not the file that the manifest"):
        drift_report(altered, tmp_path / "log.jsonl", tmp_path / "drift", DriftSettings())


def test_what_is_missing_names_the_command_that_makes_it(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingArtifact, match="`tandem bundle`"):
        drift_report(tmp_path / "none", tmp_path / "log.jsonl", tmp_path / "drift", DriftSettings())
    with pytest.raises(MissingArtifact, match=r"No reference sample .* `tandem bundle`"):
        without = make_bundle(tmp_path / "bundles", None)
        drift_report(without, tmp_path / "log.jsonl", tmp_path / "drift", DriftSettings())
    with pytest.raises(MissingArtifact, match="`tandem serve` writes one when TANDEM_IMPRESSION_LOG is set"):
        drift_report(bundle, tmp_path / "log.jsonl", tmp_path / "drift", DriftSettings())


def test_psi_by_hand() -> None:
    reference, current = np.array(["x"] * 3 + ["y"]), np.array(["x"] + ["y"] * 3)
    # Half a row more per bin: (3.5, 1.5) / 5 against (1.5, 3.5) / 5, so 2 * (0.7 - 0.3) * ln(0.7 / 0.3).
    assert psi(reference, current) == pytest.approx(0.8 * math.log(7 / 3))
    assert psi(reference, reference) == 0.0


def test_bins_are_deciles_of_the_reference() -> None:
    reference, current = np.arange(1.0, 101.0), np.full(7, 1e6)
    of_reference, of_current = bin_counts(reference, current)
    assert of_reference.tolist() == [10] * 10
    assert of_current.tolist() == [0] * 9 + [7]


def test_few_values_are_bins_of_their_own_and_unseen_ones_share_one() -> None:
    of_reference, of_current = bin_counts(np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.5, 7.0]))
    assert (of_reference.tolist(), of_current.tolist()) == ([2, 1, 0], [0, 1, 2])
    of_reference, of_current = bin_counts(np.array(["a", "c"]), np.array(["b", "d"]))
    assert (of_reference.tolist(), of_current.tolist()) == ([1, 1, 0], [0, 0, 2])


def test_noise_floor_is_the_chi_square_quantile() -> None:
    # Tables: the 0.99 quantile of chi-square is 21.666 with 9 degrees of freedom and 6.635 with 1.
    assert noise_floor(10, 200, 200, 0.01) == pytest.approx(21.666 / 100, rel=0.02)
    assert noise_floor(2, 200, 200, 0.01) == pytest.approx(6.635 / 100, rel=0.05)
    assert noise_floor(1, 200, 200, 0.01) == 0.0


def test_few_users_asked_often_are_not_drift() -> None:
    random = np.random.default_rng(5)
    reference, current = random.lognormal(3.0, 1.0, 1000), np.repeat(random.lognormal(3.0, 1.0, 5), 80)
    rows = effective_rows(np.full(5, 80))
    assert rows == 5.0
    assert noise_floor(10, 1000, 400, 0.001) < psi(reference, current) < noise_floor(10, 1000, rows, 0.001)


def test_effective_rows_by_hand() -> None:
    assert effective_rows(np.array([1, 1, 1])) == 3.0
    assert effective_rows(np.array([8, 2, 2])) == 2.0  # 12^2 / (64 + 4 + 4)


def test_gini_by_hand() -> None:
    assert exposure_gini([5, 5, 5]) == 0.0
    # shares 1/4, 1/4, 1/2: ((2 - 4) / 4 + (4 - 4) / 4 + (6 - 4) / 2) / (3 - 1) = 0.5 / 2
    assert exposure_gini([2, 1, 1]) == pytest.approx(0.25)
    assert exposure_gini([0, 0, 9]) == pytest.approx(1.0)
    assert (exposure_gini([4]), exposure_gini([])) == (1.0, 0.0)

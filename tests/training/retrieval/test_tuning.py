"""The search for parameters: what it is judged by, and that each trial is in MLflow."""

from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import optuna
import pytest
from typer.testing import CliRunner

from tandem.__main__ import app
from training.dataset.dataset import Dataset
from training.params_file import load_settings
from training.retrieval.tuning import EXPERIMENT, Tuned, searched, suggested, tune, validation_of
from training.retrieval.validation import Validation
from training.settings import Encoder, Loss, Settings, TwoTowerSettings
from training.workspace import Workspace

pytestmark = pytest.mark.tf


def test_validation_is_what_was_new_to_the_user_in_the_last_label_window(trained: Workspace) -> None:
    dataset = Dataset(trained)
    start, end = dataset.timeline.ranker_windows[-1]
    validation = validation_of(dataset)
    assert validation.moment.seconds == start
    assert end == dataset.timeline.cutoff  # the test window begins there
    bought, before = dataset.bought(start, end), dataset.bought(0, start)
    assert 0 < len(validation.users) <= len(bought)
    for row, truth in zip(validation.users[:50], validation.truths, strict=False):
        user = validation.moment.user_ids[row]
        assert set(truth) <= set(bought[user])
        assert set(truth).isdisjoint(before.get(user, np.zeros(0, np.int64)).tolist())


@pytest.mark.parametrize(
    "settings",
    [
        TwoTowerSettings(),
        TwoTowerSettings(uniform_negatives=64, encoder=Encoder.GRU),
        TwoTowerSettings(loss=Loss.FULL, side_features=False, temperature=0.1),
    ],
    ids=["defaults", "more negatives", "ids alone"],
)
def test_the_first_trial_is_what_params_say(settings: TwoTowerSettings) -> None:
    study = optuna.create_study()
    study.enqueue_trial(searched(settings))
    assert suggested(study.ask(), settings) == settings
    assert suggested(study.ask(), settings) != settings


def test_a_trial_is_a_run_with_its_recall(trained: Workspace) -> None:
    settings = load_settings(trained.root / "params.yaml")
    quick = Settings(two_tower=replace(settings.two_tower, epochs=1, hidden_units=(8,), side_features=False))
    seen: list[tuple[int, int]] = []
    tuned = tune(trained, quick, 1, lambda done, total, what: seen.append((done, total)))
    assert (tuned.trials, tuned.stopped_early) == (1, 0)
    assert tuned.recall == tuned.recall_as_is > 0
    assert tuned.chosen["encoder"] == "mean"
    assert seen == [(0, 1), (1, 1)]
    (run,) = mlflow.search_runs(experiment_names=[EXPERIMENT], max_results=1, output_format="list")
    assert run.data.params["hidden_units"] == "(8,)"
    assert run.data.metrics["validation_recall_at_100"] == pytest.approx(tuned.recall)


def test_a_trial_that_lags_is_stopped(trained: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from training.retrieval import tuning

    def hopeless(towers: object, positives: object, start: int, end: int, epochs: int, *rest: object) -> list[float]:
        judge = rest[-1]
        assert callable(judge)
        for epoch in range(epochs):
            judge(epoch + 1, 1.0)
        return []

    # Recall falls from trial to trial: all but the first lag behind the median.
    values = iter(1.0 / (n + 1) for n in range(100))
    monkeypatch.setattr(tuning, "fit", hopeless)
    monkeypatch.setattr(tuning, "new_towers", lambda *_: None)
    monkeypatch.setattr(Validation, "recall", lambda *_: next(values))
    settings = Settings(two_tower=TwoTowerSettings(epochs=2))
    tuned = tune(trained, settings, tuning.STARTUP_TRIALS + 2, lambda *_: None)
    assert tuned.stopped_early == 2


@pytest.mark.parametrize(("items", "said"), [(64, True), (500, False)])
def test_a_catalogue_that_every_list_holds_is_said_not_to_be_tunable(
    tmp_path: Path, items: int, said: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.retrieval.tuning.items_of", lambda _: items)
    monkeypatch.setattr("training.retrieval.tuning.tune", lambda *_: Tuned({}, 1.0, 1.0, 20, 0))
    (tmp_path / "params.yaml").write_text("{}")
    done = CliRunner().invoke(app, ["tune", "--root", str(tmp_path)], catch_exceptions=False)
    assert ("do not change params.yaml by the result" in done.output) is said

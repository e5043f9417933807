"""Hyper-parameters of the towers, searched on validation: the last label window before the cutoff. Test is not read.

Each trial trains up to that window and is stopped early where it lags behind the others' median at the same epoch.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import mlflow
import optuna

from training.dataset.dataset import Dataset
from training.retrieval.fit import fit, new_towers
from training.retrieval.validation import Validation, discoveries_in
from training.settings import Encoder, Loss, Settings, TwoTowerSettings
from training.tracking import use_experiment
from training.workspace import Workspace

EXPERIMENT = "tandem-tune"
RECALL_AT = 100
FEW_ITEMS = 500  # with fewer items, RECALL_AT of them are nearly all, and trials hardly differ
STARTUP_TRIALS = 4  # before any is stopped early
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Tuned:
    """The best trial and how many there were."""

    chosen: Mapping[str, Any]  # keys of two_tower in params.yaml
    recall: float
    recall_as_is: float  # of the settings that the search began with
    trials: int
    stopped_early: int


def tune(workspace: Workspace, settings: Settings, num_trials: int, progress: Progress) -> Tuned:
    """The best of num_trials settings by Recall on validation; the first trial is params.yaml as it is.

    Every trial is a run in MLflow's experiment `tandem-tune`, with its parameters and its Recall after each epoch.
    """
    dataset = Dataset(workspace)
    validation = validation_of(dataset)
    optuna.logging.set_verbosity(logging.WARNING)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=settings.two_tower.seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS),
    )
    study.enqueue_trial(searched(settings.two_tower))

    def objective(trial: optuna.Trial) -> float:
        chosen = suggested(trial, settings.two_tower)
        progress(trial.number, num_trials, "trying " + _in_words(trial.params))
        return _trial(trial, dataset, validation, chosen)

    use_experiment(workspace, EXPERIMENT)
    study.optimize(objective, num_trials)
    progress(num_trials, num_trials, "trials")
    stopped = study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.PRUNED])
    return Tuned(
        study.best_trial.params, study.best_value, study.trials[0].value or 0.0, len(study.trials), len(stopped)
    )


def items_of(workspace: Workspace) -> int:
    """Items of the catalogue that trials find things in."""
    return len(Dataset(workspace).item_ids)


def _in_words(parameters: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in parameters.items()
    )


def validation_of(dataset: Dataset) -> Validation:
    """The last label window before the cutoff."""
    return discoveries_in(dataset, *dataset.timeline.ranker_windows[-1], RECALL_AT)


def searched(settings: TwoTowerSettings) -> dict[str, Any]:
    """The values that `suggested` asks for, of settings as they are."""
    chosen: dict[str, Any] = {
        "encoder": settings.encoder.value,
        "temperature": settings.temperature,
        "learning_rate": settings.learning_rate,
        "user_evenness": settings.user_evenness,
    }
    if settings.loss is Loss.SAMPLED:
        chosen["uniform_negatives"] = settings.uniform_negatives
    if settings.side_features:
        chosen |= {"id_dropout": settings.id_dropout, "dropout": settings.dropout}
    return chosen


def suggested(trial: optuna.Trial, settings: TwoTowerSettings) -> TwoTowerSettings:
    """Settings with the trial's values; what is not searched stays."""
    chosen: dict[str, Any] = {
        "encoder": Encoder(trial.suggest_categorical("encoder", [kind.value for kind in Encoder])),
        "temperature": trial.suggest_float("temperature", 0.05, 2.0, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1.0, log=True),
        "user_evenness": trial.suggest_float("user_evenness", 0.0, 1.0),
    }
    if settings.loss is Loss.SAMPLED:
        chosen["uniform_negatives"] = trial.suggest_categorical(
            "uniform_negatives", sorted({0, 256, 1024, settings.uniform_negatives})
        )
    if settings.side_features:
        chosen["id_dropout"] = trial.suggest_float("id_dropout", 0.0, 0.9)
        chosen["dropout"] = trial.suggest_float("dropout", 0.0, 0.6)
    return replace(settings, **chosen)


def _trial(trial: optuna.Trial, dataset: Dataset, validation: Validation, settings: TwoTowerSettings) -> float:
    """Recall after the last epoch. Raises optuna.TrialPruned where the trial lags."""
    positives = dataset.positives()
    towers = new_towers(dataset, positives, settings)
    recalls: list[float] = []

    def judge(epoch: int, loss: float) -> None:
        recalls.append(validation.recall(towers))
        mlflow.log_metrics({f"validation_recall_at_{RECALL_AT}": recalls[-1], "loss": loss}, step=epoch)
        trial.report(recalls[-1], epoch)
        if trial.should_prune():
            mlflow.set_tag("stopped_after_epoch", epoch)
            raise optuna.TrialPruned

    with mlflow.start_run(run_name=f"trial-{trial.number}"):
        mlflow.log_params(asdict(settings))
        start, end = dataset.timeline.two_tower_start, validation.moment.seconds
        fit(towers, positives, start, end, settings.epochs, settings, lambda *_: None, judge)
    return recalls[-1]

"""Bundles that change while they serve: each change is prepared next to what serves, then takes its place at once."""

import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from contracts.api.answers import BundleCard, ExperimentCard, RefusedChange
from contracts.errors import TandemError
from serving.bundles.bundle import LoadedBundle
from serving.bundles.experiment import Experiment, read_experiment
from serving.bundles.loader import Finish, Loader
from serving.bundles.release import Assigned, Live
from serving.metrics import Metrics
from serving.runtime.file_stamp import FileChanges

FOLDERS = re.compile(r"/[^\s:;,]*/")
"""Paths stay in the log; what is shown to callers names files and versions."""


class LiveReleases:
    """The bundles of one server.

    Requests read `_live` once and take no lock. Changes take turns: the new bundle is loaded and tried while the old
    one answers, and one assignment ends that. A request that has begun with the old bundle keeps it to its end,
    and with the last of them it is freed, so two bundles are in memory during a change, three with an experiment.
    """

    def __init__(self, loader: Loader, metrics: Metrics, variant: str, experiment_file: Path | None = None) -> None:
        """Raises TandemError where the first bundle, or the experiment that is asked for, cannot serve."""
        self._loader = loader
        self._metrics = metrics
        self._experiment_file = experiment_file
        self._changing = threading.Lock()
        self._refusal: RefusedChange | None = None
        self._seen = loader.source.identity()
        self._experiment_changes = FileChanges(experiment_file) if experiment_file else None
        self._stable = self._previous = ""  # versions
        self._serve(Live(loader.load(), variant))
        if experiment_file is not None:
            self._serve(self._with_experiment(read_experiment(experiment_file)))

    def assigned(self, user_id: str, variant: str | None = None) -> Assigned:
        """The snapshot for a user. Raises InvalidInput for a variant that does not serve."""
        return self._live.assigned(user_id, variant)

    def serving(self) -> Assigned:
        """The snapshot for requests that are about no user."""
        live = self._live
        return Assigned(live.stable, live.variant)

    def variants(self) -> tuple[str, ...]:
        """Names of the variants that serve."""
        return tuple(self._live.versions())

    def change(self, version: str | None = None) -> None:
        """Serves another version, or what the source names now; the old one goes on where that cannot be done.

        Raises TandemError with the reason, which is counted, logged and kept for GET /bundle.
        """
        with self._changing, self._refusals(version or "current"):
            self._serve(replace(self._live, stable=self._loader.load(version)))

    def lay_over(self, finish: Finish) -> None:
        """From now on puts what is newer than a bundle over each one that is loaded; `replace` does for those there."""
        self._loader.finish = finish

    def replace(self, change: Callable[[LoadedBundle], LoadedBundle]) -> None:
        """Serves changed copies of the bundles that serve, such as with a new item, whichever they are by then."""
        with self._changing:
            live = self._live
            challenger = change(live.challenger) if live.challenger else None
            self._serve(replace(live, stable=change(live.stable), challenger=challenger))

    def refresh(self) -> None:
        """Serves what the source and the experiment file say, where either has changed since the last look.

        A refusal is kept as `change` keeps it, and not tried again until something changes again.
        """
        identity = self._loader.source.identity()
        if identity not in (None, self._seen):
            self._seen = identity
            with suppress(TandemError):
                self.change()
        if self._experiment_file and self._experiment_changes and self._experiment_changes.happened():
            with suppress(TandemError), self._changing, self._refusals(self._experiment_file.name):
                self._serve(self._with_experiment(read_experiment(self._experiment_file)))

    def card(self) -> BundleCard:
        """What serves, and what was refused last."""
        live = self._live
        manifest = live.stable.manifest
        return BundleCard(
            bundle_version=manifest.bundle_version,
            variant=live.variant,
            created_at=manifest.created_at,
            data_end=datetime.fromtimestamp(manifest.data_end_timestamp, UTC).isoformat(),
            num_items=manifest.num_items,
            metrics=manifest.metrics,
            example_user_ids=manifest.example_user_ids,
            experiment=_experiment_card(live.experiment),
            last_refusal=self._refusal,
        )

    def _with_experiment(self, experiment: Experiment) -> Live:
        live = self._live
        if live.challenger is not None and live.challenger.manifest.bundle_version == experiment.challenger:
            return replace(live, experiment=experiment)  # another share or salt: nothing is loaded
        return replace(live, challenger=self._loader.load(experiment.challenger), experiment=experiment)

    def _serve(self, live: Live) -> None:
        self._live = live
        self._metrics.serve(live.versions())
        stable = live.stable.manifest.bundle_version
        if stable != self._stable:
            self._stable, self._previous = stable, self._stable
        self._loader.source.prune({*live.versions().values(), self._previous})  # a rollback needs no download

    @contextmanager
    def _refusals(self, asked: str) -> Iterator[None]:
        try:
            yield
        except TandemError as error:
            self._metrics.refused(type(error).__name__)
            logging.getLogger(__name__).error("%s is refused, what served before goes on: %s", asked, error)
            now = datetime.now(UTC).isoformat(timespec="seconds")
            self._refusal = RefusedChange(refused_at=now, asked=asked, reason=public_text(error))
            raise


def public_text(error: TandemError) -> str:
    """The error without folders."""
    return FOLDERS.sub("", str(error))


def _experiment_card(experiment: Experiment | None) -> ExperimentCard | None:
    if experiment is None:
        return None
    return ExperimentCard(name=experiment.name, challenger=experiment.challenger, share=experiment.share)

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
from contracts.errors import BundleRefused, TandemError
from serving.bundles.bundle import LoadedBundle
from serving.bundles.experiment import Experiment, read_experiment
from serving.bundles.health import BundleHealth, Failure, Outcome
from serving.bundles.loader import Loader
from serving.bundles.release import Assigned, Live
from serving.metrics import Metrics
from serving.runtime.file_stamp import FileChanges

FOLDERS = re.compile(r"/[^\s:;,]*/")
"""Paths stay in the log; what is shown to callers names files and versions."""


class FailedInService(BundleRefused):
    """A bundle that had passed every check and fails what users ask."""


Finish = Callable[[LoadedBundle], LoadedBundle]
"""What is laid over a bundle before it serves, such as items that are newer than it."""


class LiveReleases:
    """The bundles of one server.

    Requests read `_live` once and take no lock. Changes take turns: the new bundle is loaded and tried while the old
    one answers, and changes with the catalogue; one assignment ends that. A request that has begun with the old bundle
    keeps it to its end, and with the last of them it is freed, so two bundles are in memory during a change, three with
    an experiment.
    """

    def __init__(
        self,
        loader: Loader,
        metrics: Metrics,
        variant: str,
        experiment_file: Path | None = None,
        health: BundleHealth | None = None,
    ) -> None:
        """Raises TandemError where the first bundle cannot serve, and InvalidInput for a file without an experiment.

        A challenger that cannot serve is refused as `refresh` refuses one: a server that restarts at night must not
        stay down because a bundle was retired meanwhile.
        """
        self._loader = loader
        self._metrics = metrics
        self._health = health or BundleHealth()
        self._failed: set[str] = set()  # versions that are not gone back to
        self.is_ready = True  # False while no bundle answers
        self._experiment_file = experiment_file
        self._turns = threading.Lock()  # of bundles: one after the other is tried and loaded
        self._changing = threading.Lock()  # of what serves: for as long as an assignment takes
        self._finish: Finish = lambda bundle: bundle
        self._refusal: RefusedChange | None = None
        self._seen = loader.source.identity()
        self._experiment_changes = FileChanges(experiment_file) if experiment_file else None
        self._stable = self._previous = ""  # versions
        self._serve(Live(loader.load(), variant))
        if experiment_file is not None:
            experiment = read_experiment(experiment_file)
            with suppress(TandemError), self._refusals(experiment_file.name):
                self._change_experiment(experiment)

    def assigned(self, user_id: str, variant: str | None = None) -> Assigned:
        """The snapshot for a user. Raises InvalidInput for a variant that does not serve."""
        return self._live.assigned(user_id, variant)

    def serving(self) -> Assigned:
        """The snapshot for requests that are about no user."""
        live = self._live
        return Assigned(live.stable, live.variant)

    def answered(self, assigned: Assigned, outcome: Outcome) -> None:
        """What a request got of its bundle; one that fails most of them is left."""
        self._health.count(assigned.bundle.manifest.bundle_version, outcome)

    def unwritten(self, version: str) -> None:
        """A list of this bundle, which was made, cannot be written."""
        self._health.count(version, Outcome.UNWRITTEN)

    def variants(self) -> tuple[str, ...]:
        """Names of the variants that serve."""
        return tuple(self._live.versions())

    def bundles(self) -> list[LoadedBundle]:
        """Every bundle that serves."""
        live = self._live
        return [live.stable, live.challenger] if live.challenger else [live.stable]

    def change(self, version: str | None = None) -> None:
        """Serves another version, or what the source names now; the old one goes on where that cannot be done.

        Raises TandemError with the reason, which is counted, logged and kept for GET /bundle.
        """
        with self._turns, self._refusals(version or "current"):
            loaded = self._loader.load(version)
            self._failed.discard(loaded.manifest.bundle_version)  # the caller may have mended its reason
            self._change_stable(loaded)

    def lay_over(self, finish: Finish) -> None:
        """Lays newer items over each bundle that is loaded from now on; `replace` does it for loaded ones."""
        self._finish = finish

    def replace(self, change: Callable[[LoadedBundle], LoadedBundle]) -> None:
        """Serves changed copies of the bundles that serve, such as with a new item, whichever they are by then."""
        with self._changing:
            live = self._live
            challenger = change(live.challenger) if live.challenger else None
            self._serve(replace(live, stable=change(live.stable), challenger=challenger))

    def refresh(self) -> None:
        """Serves what the source and the experiment file say, where either has changed since the last look.

        First it leaves a bundle that fails most of its lists.
        A refusal is kept as `change` keeps it, and not tried again until something changes again.
        """
        self._leave_what_fails()
        identity = self._loader.source.identity()
        if identity not in (None, self._seen):
            self._seen = identity
            with suppress(TandemError):
                self.change()
        if self._experiment_file and self._experiment_changes and self._experiment_changes.happened():
            with suppress(TandemError), self._turns, self._refusals(self._experiment_file.name):
                self._change_experiment(read_experiment(self._experiment_file))

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
            target=live.stable.target.value,
            currency=manifest.parameters("ingest").get("currency", ""),
            shelf=live.stable.shelf,
            experiment=_experiment_card(live.experiment),
            last_refusal=self._refusal,
        )

    def _leave_what_fails(self) -> None:
        live = self._live
        challenger = live.challenger.manifest.bundle_version if live.challenger else ""
        if challenger and (failure := self._health.failure(challenger)):
            self._left(challenger, failure, f"{self._stable} answers everybody")
            with self._changing:
                self._serve(replace(self._live, challenger=None, experiment=None))
        failure = self._health.failure(self._stable)
        if failure and self._stable not in self._failed:
            self._go_back(self._stable, failure)
        self.is_ready = not (failure and failure.answers_nothing and self._stable in self._failed)

    def _go_back(self, failing: str, failure: Failure) -> None:
        self._failed.add(failing)
        if not self._previous or self._previous in self._failed:
            self._left(failing, failure, "it goes on, as there is none before it that answers")
            return
        try:
            with self._turns:
                self._change_stable(self._loader.load(self._previous))
            self._left(failing, failure, f"{self._stable} serves again")
        except TandemError as error:
            self._left(failing, failure, f"it goes on, as the one before it is refused: {error}")

    def _left(self, version: str, failure: Failure, instead: str) -> None:
        self._note(f"bundle {version}", FailedInService(f"Bundle {version} fails in service: {failure}; {instead}."))

    def _change_stable(self, loaded: LoadedBundle) -> None:
        with self._changing:
            self._serve(replace(self._live, stable=self._finish(loaded)))

    def _change_experiment(self, experiment: Experiment) -> None:
        challenger = self._live.challenger
        if challenger is not None and challenger.manifest.bundle_version == experiment.challenger:
            loaded = None  # another share or salt: nothing is loaded
        else:
            loaded = self._loader.load(experiment.challenger)
        with self._changing:
            live = replace(self._live, experiment=experiment)
            self._serve(replace(live, challenger=self._finish(loaded)) if loaded else live)

    def _serve(self, live: Live) -> None:
        self._live = live
        self._metrics.serve(live.versions())
        stable = live.stable.manifest.bundle_version
        if stable != self._stable:
            self._stable, self._previous = stable, self._stable
            self._health.forget(stable)
        self._loader.source.prune({*live.versions().values(), self._previous})  # a rollback needs no download

    @contextmanager
    def _refusals(self, asked: str) -> Iterator[None]:
        try:
            yield
        except TandemError as error:
            self._note(f"{asked} is refused, what served before goes on", error, asked)
            raise

    def _note(self, what: str, error: TandemError, asked: str = "") -> None:
        self._metrics.refused(type(error).__name__)
        logging.getLogger(__name__).error("%s: %s", what, error)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._refusal = RefusedChange(refused_at=now, asked=asked or what, reason=public_text(error))


def public_text(error: TandemError) -> str:
    """The error without folders."""
    return FOLDERS.sub("", str(error))


def _experiment_card(experiment: Experiment | None) -> ExperimentCard | None:
    if experiment is None:
        return None
    return ExperimentCard(name=experiment.name, challenger=experiment.challenger, share=experiment.share)

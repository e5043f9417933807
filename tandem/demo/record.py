"""Writes how far the demo's computation is, for the server's page."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import ValidationError

from contracts.api import progress
from contracts.api.progress import Progress, State
from tandem.demo.times import Times

EVERY_SECONDS = 1.0
TRUSTED_SECONDS = 5.0
"""From this much of expected work on, the time that it took here says how fast this machine is."""


class Record:
    """The file that the server reads. One thread works, a second one writes the passing of time."""

    def __init__(
        self,
        path: Path,
        steps: Sequence[progress.Step],
        times: Times,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """steps: in their order; what an earlier run has said of them is kept."""
        self._path = path
        self._times = times
        self._clock = clock
        self._started = clock()
        self._writing = threading.Lock()
        self._last = "start"
        self._parts: list[str] = []  # of the step at work that are still to do, the one at work first
        self._since = self._started  # when the part at work began
        self._expected_done = self._took_done = 0.0  # of the step at work
        self._progress = Progress(state=State.RUNNING, steps=_kept(path, steps))
        # Whether this computation goes on with what an earlier one has made; its own seconds are then not all.
        self._resumes = any(one.bundle_version for one in self._progress.steps)

    def begin(self, step: str, parts: Sequence[str]) -> None:
        """The step is at work now, and takes these parts."""
        self._parts, self._expected_done, self._took_done = [f"{step}/{part}" for part in parts], 0.0, 0.0
        self._since = self._clock()
        self._say(step=step, doing="loading what it needs")

    @contextmanager
    def part(self, name: str, doing: str) -> Iterator[None]:
        """The next part of the step, while the block runs; its time is kept unless it fails."""
        self._since, self._last = self._clock(), f"step {self._progress.step}, {doing}"
        self._say(doing=doing)
        yield
        took, part = self._clock() - self._since, f"{self._progress.step}/{name}"
        self._expected_done += self._times.expected(part)
        self._took_done += took
        self._times.keep(part, took)
        self._over(name)

    def leave_out(self, name: str) -> None:
        """A part of the step has nothing to do: an earlier computation has done it."""
        self._resumes = True
        self._over(name)

    def _over(self, name: str) -> None:
        part = f"{self._progress.step}/{name}"
        self._parts = [other for other in self._parts if other != part]
        self._since = self._clock()
        self.write()

    def serves(self, step: str, version: str, ndcg: float | None = None, note: str | None = None) -> None:
        """The step's bundle can serve from now on, or there is a note on why it does not."""
        seconds = round(self._clock() - self._started, 1)
        self.update(step, bundle_version=version, seconds=seconds, resumed=self._resumes, ndcg=ndcg, note=note)

    def update(self, step: str, **known: object) -> None:
        """Fields of a step that have become known."""
        steps = [one.model_copy(update=known) if one.name == step else one for one in self._progress.steps]
        self._say(steps=steps)

    def forget(self) -> None:
        """The data is another: what an earlier run has said of its bundles holds no more."""
        self._resumes = False
        blank = [progress.Step(name=one.name, title=one.title) for one in self._progress.steps]
        self._say(steps=blank)

    def end(self, state: State, failure: str | None = None) -> None:
        """Nothing is computed any more."""
        self._parts = []
        self._say(state=state, failure=failure, step=None, doing=None)

    @property
    def last(self) -> str:
        """What was at work last, in words for an error."""
        return self._last

    def write(self) -> None:
        """Replaces the file."""
        with self._writing:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = self._path.with_name(f".{self._path.name}.writing")
            unfinished.write_text(self.now().model_dump_json() + "\n")
            unfinished.rename(self._path)

    def now(self) -> Progress:
        """The record at this moment."""
        left = self._seconds_left() if self._progress.step else None
        share = None
        if left is not None:
            gone = self._took_done + (self._clock() - self._since)
            share = round(gone / (gone + left), 3) if gone + left > 0 else 0.0
        update = {"seconds_left": left, "share": share, "updated_at": time.time()}
        return self._progress.model_copy(update=update)

    @contextmanager
    def ticking(self) -> Iterator[None]:
        """Writes every second while the block runs."""
        over = threading.Event()

        def tick() -> None:
            while not over.wait(EVERY_SECONDS):
                with suppress(OSError):  # on a full disk the work says so, and in a second it is written again
                    self.write()

        ticker = threading.Thread(target=tick, name="record", daemon=True)
        ticker.start()
        try:
            yield
        finally:
            over.set()
            ticker.join()

    def _seconds_left(self) -> float:
        """Expected seconds of the parts to do, at the pace of the finished parts."""
        pace = self._took_done / self._expected_done if self._expected_done >= TRUSTED_SECONDS else 1.0
        expected = [pace * self._times.expected(part) for part in self._parts]
        if not expected:
            return 0.0
        at_work = max(expected[0] - (self._clock() - self._since), 0.0)
        return round(at_work + sum(expected[1:]), 1)

    def _say(self, **changed: object) -> None:
        self._progress = self._progress.model_copy(update=changed)
        self.write()


def _kept(path: Path, steps: Sequence[progress.Step]) -> list[progress.Step]:
    try:
        before = {step.name: step for step in Progress.model_validate_json(path.read_bytes()).steps}
    except (OSError, ValidationError):  # none yet, or of another version
        before = {}
    return [before.get(step.name, step) for step in steps]

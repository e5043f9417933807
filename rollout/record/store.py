"""The record in ConfigMap `<release>-rollout`: one writer at a time, by claim and by resourceVersion."""

from collections.abc import Callable

from pydantic import ValidationError

from contracts.errors import TandemError
from rollout.cluster.objects import CONFIG_MAP, ClusterProblem, Conflict, Object, Objects
from rollout.record.state import Record

KEY = "record.json"
MAX_HISTORY = 20
ATTEMPTS = 20


class RolloutHeld(TandemError):
    """Another controller is at work; the text says which."""


class Store:
    """The record of one release, as seen by one controller."""

    def __init__(self, objects: Objects, release: str, holder: str) -> None:
        self._objects = objects
        self.name = f"{release}-rollout"
        self.holder = holder

    def read(self) -> Record:
        """What the cluster remembers; an empty record before the first rollout."""
        return _parse(self._objects.get(CONFIG_MAP, self.name))

    def change(self, change: Callable[[Record], Record]) -> Record:
        """Writes the changed record, and again from what is there now when somebody else wrote meanwhile."""
        for _ in range(ATTEMPTS):
            body = self._objects.get(CONFIG_MAP, self.name)
            before = _parse(body)
            after = change(before)
            if after == before:
                return after
            try:
                self._write(body, after)
            except Conflict:
                continue
            return after
        raise ClusterProblem(f"ConfigMap {self.name} was changed by somebody else {ATTEMPTS} times in a row")

    def claim(self, seconds: float, wait: Callable[[float], None]) -> Record:
        """The record as it was found, with this controller the one at work from now on.

        Raises RolloutHeld when another gives a sign of life within `seconds`. A holder in the record that was found
        never ended its claim: it was killed. Only changes of the heartbeat count, not its age: the clocks of two
        machines need not agree.
        """
        seen = self.read()
        if seen.holder not in ("", self.holder):
            wait(seconds)
            if (now := self.read()).heartbeat != seen.heartbeat:
                raise RolloutHeld(
                    f"rollout {self.name} is in the hands of {now.holder}, which is at work; watch it with "
                    "`tandem rollout status`, steer it with `tandem rollout promote` or `abort`"
                )

        def take(record: Record) -> Record:
            if record.heartbeat != seen.heartbeat:
                raise RolloutHeld(f"rollout {self.name} has just been taken by {record.holder or 'another controller'}")
            return record.model_copy(update={"holder": self.holder, "heartbeat": record.heartbeat + 1})

        self.change(take)
        return seen

    def beat(self) -> Record:
        """A sign of life; gives what is asked meanwhile. Raises RolloutHeld when the claim was lost."""
        return self.change(self._held)

    def save(self, change: Callable[[Record], Record]) -> Record:
        """Writes a change and a sign of life in one. Raises RolloutHeld when the claim was lost."""
        return self.change(lambda record: change(self._held(record)))

    def release(self) -> None:
        """Ends the claim, so that the next controller need not wait; a lost claim is not ours to end."""
        self.change(lambda record: record.model_copy(update={"holder": ""}) if record.holder == self.holder else record)

    def _held(self, record: Record) -> Record:
        if record.holder != self.holder:
            raise RolloutHeld(
                f"rollout {self.name} was taken over by {record.holder or 'nobody'}; this controller stops"
            )
        return record.model_copy(update={"heartbeat": record.heartbeat + 1})

    def _write(self, body: Object | None, record: Record) -> None:
        refused = dict(list(record.refused.items())[-MAX_HISTORY:])
        kept = record.model_copy(update={"history": record.history[-MAX_HISTORY:], "refused": refused})
        data = {KEY: kept.model_dump_json(indent=1)}
        if body is None:
            self._objects.create(
                CONFIG_MAP,
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": self.name, "namespace": self._objects.namespace},
                    "data": data,
                },
            )
        else:
            self._objects.replace(CONFIG_MAP, body | {"data": {**(body.get("data") or {}), **data}})


def _parse(body: Object | None) -> Record:
    text = ((body or {}).get("data") or {}).get(KEY)
    if not text:
        return Record()
    try:
        return Record.model_validate_json(text)
    except ValidationError as error:
        raise ClusterProblem(
            f"ConfigMap {body and body['metadata']['name']} holds a record that this version cannot read "
            f"({error.error_count()} faults); finish the rollout with the version that began it, or delete it"
        ) from error

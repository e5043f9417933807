"""Removes one person from everything that a server writes, in an order in which nothing brings them back.

The id is on the list of who was erased, on the disk, before the log is looked at: from then on no event of it is taken
and no list of it is recorded. Then the log is gone through, then what was made from the log. What was on its way
meanwhile looks at the list again once it has written, and takes it out itself (serving/api/routes/events.py,
serving/events/consumer.py).
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from contracts.bundle.retirement import learned
from contracts.erasure.receipt import Erased, LearnedFrom, Receipt, new_receipt
from contracts.erasure.suppression import SuppressionList
from contracts.errors import TandemError
from contracts.features.names import USER_ID
from serving.bundles.bundle import LoadedBundle
from serving.erasure.impressions import erase_lines, logs_beside, logs_of
from serving.erasure.receipts import signed
from serving.events.log import EventLog
from serving.features.remembered import RememberedFeatures
from serving.recommendation.answer_cache import Cache

RECEIPTS = "receipts"
PIPELINE = "the pipeline's tables and the bundles' files: `tandem erase` where the pipeline runs"


class NoErasures(TandemError):
    """A server that keeps no list of who was erased."""

    http_status = 503


@dataclass(frozen=True)
class Stores:
    """What one server writes of users.

    erase_online: removes a user's row of the online store. shares_folder: the folder of the impressions holds other
    servers' logs too.
    """

    interactions: EventLog | None
    erase_online: Callable[[str], int]
    impressions: Path | None
    remembered: RememberedFeatures
    cache: Cache
    shares_folder: bool = False

    def erase(self, suppressed: SuppressionList, user_id: str) -> list[Erased]:
        """What was found and is gone. What this process has goes twice, before the list has the user and at the end:
        servers that see the list would else have taken it out before it was counted.

        Raises TandemError where a store did not answer: the list holds already, and erasing again goes on.
        """
        only = {user_id}.__contains__
        first = self.erase_own(only)
        suppressed.add(user_id)
        log = self.interactions.erase(only) if self.interactions else 0
        found = [Erased(store="event log", found=log), Erased(store="online store", found=self.erase_online(user_id))]
        if self.shares_folder:
            found.append(Erased(store="impressions of other servers", found=self._erase_beside(only)))
        own = zip(first, self.erase_own(only), strict=True)
        return [*found, *(Erased(store=one.store, found=one.found + more.found) for one, more in own)]

    def _erase_beside(self, chosen: Callable[[str], bool]) -> int:
        """A server that runs no more takes nobody out of its log."""
        removed = 0
        for log in logs_beside(self.impressions) if self.impressions else ():
            with suppress(FileNotFoundError):  # its server has just dropped the older half
                removed += erase_lines(log, chosen)
        return removed

    def erase_own(self, chosen: Callable[[str], bool]) -> list[Erased]:
        """What this process alone has; every server that shares the list does it when the list has grown."""
        shown = sum(erase_lines(log, chosen) for log in logs_of(self.impressions)) if self.impressions else 0
        return [
            Erased(store="impressions", found=shown),
            Erased(store="remembered features", found=self.remembered.erase(chosen)),
            Erased(store="cached lists", found=self.cache.erase(chosen)),
        ]


def receipt_of(
    suppressed: SuppressionList,
    user_id: str,
    stores: Sequence[Erased],
    bundles: Sequence[LearnedFrom],
    key_file: Path | None,
    not_reached: Sequence[str] = (),
) -> Receipt:
    """The receipt, signed where there is a key, and kept next to the list."""
    person = suppressed.pseudonym(user_id)
    receipt = signed(new_receipt(person, stores, bundles, not_reached=list(not_reached)), key_file)
    folder = suppressed.folder / RECEIPTS
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{receipt.erased_at.replace(':', '')}-{person[:12]}.json"
    (folder / name).write_text(receipt.model_dump_json(indent=2) + "\n")
    return receipt


def learned_from(served: Sequence[LoadedBundle], user_id: str, life_days: float) -> list[LearnedFrom]:
    """The serving bundles whose vocabulary of users has the id."""
    return [learned(one.manifest, life_days) for one in served if one.vocabularies[USER_ID].encode([user_id]).any()]


class ErasureWatch:
    """Removes from this process the users who were erased through another one."""

    def __init__(self, suppressed: SuppressionList, stores: Stores) -> None:
        self._suppressed = suppressed
        self._stores = stores
        self._seen = -1

    def step(self) -> int:
        """How many entries were found; looks only where the list has grown since the last step."""
        count = len(self._suppressed)
        if count == self._seen:
            return 0
        self._seen = count
        return sum(one.found for one in self._stores.erase_own(self._suppressed.contains)) if count else 0

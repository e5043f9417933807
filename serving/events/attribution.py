"""Which interaction is the first that followed a list: a click rate has each list once, whatever is clicked on it."""

from serving.runtime.bounded import BoundedDict


class FollowedLists:
    """Remembers the lists that were followed last, by request_id and type of event.

    In this process: of a list whose interactions reach several servers, each counts the first that it sees.
    """

    def __init__(self, max_lists: int = 100_000) -> None:
        """max_lists: about 20 MB."""
        self._followed: BoundedDict[tuple[str, str], None] = BoundedDict(max_lists)

    def first(self, request_id: str, event_type: str) -> bool:
        """Whether no such event has followed the list before; one that follows it now has."""
        key = request_id, event_type
        known = key in self._followed
        self._followed[key] = None
        return not known

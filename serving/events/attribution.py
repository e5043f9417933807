"""Which interaction is the first that followed a list: a click rate has each list once, whatever is clicked on it."""

from collections import OrderedDict


class FollowedLists:
    """Remembers the lists that were followed last, by request_id and type of event.

    In this process: of a list whose interactions reach several servers, each counts the first that it sees.
    """

    def __init__(self, max_lists: int = 100_000) -> None:
        """max_lists: about 20 MB."""
        self._max_lists = max_lists
        self._followed: OrderedDict[tuple[str, str], None] = OrderedDict()

    def first(self, request_id: str, event_type: str) -> bool:
        """Whether no such event has followed the list before; one that follows it now has."""
        key = request_id, event_type
        known = key in self._followed
        self._followed[key] = None
        self._followed.move_to_end(key)
        if len(self._followed) > self._max_lists:
            self._followed.popitem(last=False)
        return not known

"""Attacks on erasures and on the audit log."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import httpx

from contracts.audit.audit_log import verified
from contracts.erasure.suppression import SuppressionList
from tests.attack.sending import WITH_KEY, Asked, Outcome, asked
from tests.attack.server import Attacked
from tests.support.real_parts import asking


def erased_users_who_come_back(server: Attacked, times: int) -> Outcome:
    """Events and lists of a user, posted while and after the user is erased: nothing of them may be written again."""
    inputs = failures = 0
    for number in range(2 * times):
        user = f"zebra-{number}/%27\"'\\ 🦓"
        address = f"{server.url}/users/{quote(user, safe='')}"
        with httpx.Client(timeout=60, headers=WITH_KEY) as client, ThreadPoolExecutor(4) as pool:
            events = [pool.submit(_posted, server, user, f"{number}-{at}") for at in range(40)]
            lists = [pool.submit(client.get, f"{server.url}/recommendations/{quote(user, safe='')}") for _ in range(40)]
            failures += client.delete(address).status_code != httpx.codes.OK
            answers = [one.result() for one in (*events, *lists)]
            failures += _posted(server, user, f"{number}-after").json()["accepted"]
        inputs += len(answers) + 2
        failures += sum(one.status_code >= httpx.codes.INTERNAL_SERVER_ERROR for one in answers)
    time.sleep(2)  # every process has looked at the list by then
    kept = b"".join(path.read_bytes() for path in server.erasures.parent.rglob("*") if path.is_file())
    return Outcome(inputs, failures + kept.count(b"zebra-"))


def erasures_without_the_key(server: Attacked, times: int) -> Outcome:
    """Nobody without the scope takes anybody out, whatever the path or the method looks like."""
    paths = ("/users/1", "/users/1/", "//users/1", "/users/1/history", "/users/%31", "/Users/1", "/users/1?user_id=2")
    with httpx.Client(base_url=server.url, timeout=60) as client:
        answers = [
            client.request(method, path, headers=headers).status_code
            for path in paths * times
            for method in ("DELETE", "delete")
            for headers in ({}, {"authorization": "Bearer x"}, {"x-http-method-override": "DELETE"})
        ]
    list_of_erased = server.erasures / "suppressed.txt"
    before = len(list_of_erased.read_text().split()) if list_of_erased.exists() else 0
    refused = (httpx.codes.UNAUTHORIZED, httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED, httpx.codes.BAD_REQUEST)
    ones = SuppressionList(server.erasures)
    return Outcome(len(answers), sum(answer not in refused for answer in answers) + (before > 0 and "1" in ones))


def audit_lines_that_callers_write(server: Attacked, times: int) -> Outcome:
    """Names and versions that try to add lines of their own to the audit log: it stays whole."""
    names = ('x"}\n{"number": 1}', "\u2028\u0085", "x" * 128, "../../etc", '", "who": "somebody"')
    bodies = [{"item_id": name, "title": name} for name in names] + [{"items": [{"item_id": names[0]}] * 1000}]
    requests: list[Asked] = [("POST", "/items", WITH_KEY, body) for body in bodies]
    requests += [("POST", "/admin/bundle", WITH_KEY, {"version": name}) for name in names]
    done = asked(server, requests * times)
    found = verified(server.erasures / "audit.jsonl")
    return Outcome(done.inputs, done.failures + bool(found.fault) + (found.entries == 0))


def _posted(server: Attacked, user: str, event_id: str) -> httpx.Response:
    event = {"event_id": f"zebra-{event_id}", "event_type": "purchase", "user_id": user, "item_id": "819063"}
    return asking.post(f"{server.url}/events", json=event, headers=WITH_KEY, timeout=60)


ON_PEOPLE: dict[str, Callable[[Attacked, int], Outcome]] = {
    "erased users who come back": erased_users_who_come_back,
    "erasures without the key": erasures_without_the_key,
    "audit lines of callers": audit_lines_that_callers_write,
}

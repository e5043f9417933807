"""What a browser may do with a token that a site's server has signed for its user."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from functools import partial
from typing import Any
from unittest.mock import MagicMock

import httpx
import jwt
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from contracts.api.requests import RecommendationRequest
from contracts.errors import NotAllowed
from contracts.events.interactions import Interaction
from serving.api.access import CALLER, Access, Caller, CheckAccess
from serving.api.keys import Scope
from serving.api.needed_scopes import user_in
from serving.api.paths import MeantPaths
from serving.api.routes import events
from serving.api.routes.errors import add_error_answers
from serving.api.routes.recommendations import _as_the_caller_may
from serving.api.user_tokens import LONGEST_SECONDS, UserTokens
from serving.events.parsing import posted
from serving.metrics import Metrics
from serving.settings import ServingSettings

SIGNED_WITH = "the secret that the shop's server signs with"
SETTINGS = ServingSettings(api_key=SecretStr("the key of operations"), user_token_key=SecretStr(SIGNED_WITH))
ACCESS = Access(SETTINGS)


def token(
    user: str = "ada", seconds: float = 600, signed_with: str = SIGNED_WITH, algorithm: str = "HS256", **claims: Any
) -> str:
    given = {"sub": user, "exp": int(time.time() + seconds), "aud": "tandem"} | claims
    return jwt.encode({name: value for name, value in given.items() if value is not None}, signed_with, algorithm)


def caller(sent: str) -> Caller:
    return Caller(ACCESS, [(b"authorization", f"Bearer {sent}".encode())], "10.0.0.8")


def test_a_token_opens_its_users_lists_history_and_events_and_nothing_else() -> None:
    ada = caller(token())
    ada.require_of(Scope.HISTORY, "ada")
    assert ada.only_user(Scope.EVENTS) == "ada"
    with pytest.raises(NotAllowed):
        ada.require_of(Scope.HISTORY, "bob")
    for scope in set(Scope) - {Scope.LISTS, Scope.HISTORY, Scope.EVENTS}:
        with pytest.raises(NotAllowed):
            ada.only_user(scope)
        with pytest.raises(NotAllowed):
            ada.require_of(scope, "ada")
    assert [scope for scope in Scope if ada.may(scope)] == [Scope.LISTS]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/recommendations/ada", 200),
        ("HEAD", "/recommendations/ada", 200),
        ("GET", "/recommendations/bob", 401),
        ("GET", "/recommendations/ada%2Fbob", 401),  # a user of that id, who is not ada
        ("GET", "/recommendations/ada%00", 401),
        ("GET", "/recommendations/", 401),
        ("GET", "/recommendations", 401),
        ("POST", "/recommendations", 401),  # of whom, the body says
        ("POST", "/v1/models/recommender:predict", 401),
        ("GET", "/items/tea/similar?user_id=ada", 401),
        ("DELETE", "/users/ada", 401),
    ],
)
def test_where_lists_are_closed_a_token_opens_its_users_alone(method: str, path: str, status: int) -> None:
    app = FastAPI()

    @app.api_route("/{rest:path}", methods=["GET", "POST", "DELETE"])
    async def any_path(rest: str) -> str:
        return rest

    app.add_middleware(CheckAccess, access=Access(SETTINGS.model_copy(update={"open_scopes": "none"})))
    app.add_middleware(MeantPaths)

    async def ask(sent: str) -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
            return (await client.request(method, path, headers={"authorization": f"Bearer {sent}"})).status_code

    assert asyncio.run(ask(token())) == status
    assert asyncio.run(ask("the key of operations")) == 200


def test_a_key_is_about_everybody() -> None:
    everybody = caller("the key of operations")
    everybody.require_of(Scope.HISTORY, "bob")
    assert everybody.only_user(Scope.EVENTS) is None


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (partial(token, seconds=-60), "expired"),
        (partial(token, seconds=LONGEST_SECONDS + 3600), "good for more than 3600 s"),
        (partial(token, signed_with="a secret of another shop, of the same length"), "Signature verification failed"),
        (partial(token, algorithm="HS512", signed_with=SIGNED_WITH * 2), "not allowed"),
        (partial(token, aud="another service"), "Audience doesn't match"),
        (partial(token, exp=None), 'missing the "exp" claim'),
        (partial(token, sub=None), 'missing the "sub" claim'),
        (partial(token, sub=7), "Subject must be a string"),
        (lambda: "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.", "not allowed"),  # alg: none
        (lambda: "eyJ..", "Invalid"),
    ],
)
def test_a_token_that_is_not_taken_says_why(made: Callable[[], str], said: str) -> None:
    sent = made()  # now: one that was made when the tests were collected may have expired
    asks: list[Callable[[], object]] = [
        lambda: caller(sent).require_of(Scope.HISTORY, "ada"),
        lambda: caller(sent).only_user(Scope.EVENTS),
    ]
    for ask in asks:
        with pytest.raises(NotAllowed, match="This token of a user is not taken") as refused:
            ask()
        assert said in str(refused.value)


def test_without_a_signing_key_a_token_is_a_key_that_nobody_knows() -> None:
    access = Access(ServingSettings(api_key=SecretStr("the key of operations")))
    unknown = Caller(access, [(b"authorization", f"Bearer {token()}".encode())], "10.0.0.8")
    with pytest.raises(NotAllowed, match="This needs the header"):
        unknown.require_of(Scope.HISTORY, "ada")


@pytest.mark.parametrize(
    ("path", "user"),
    [
        ("/users/ada/history", "ada"),
        ("/explain/ada/1", "ada"),
        ("/users/a%2Fb/history", "a/b"),
        ("/users", None),
        ("/items/ada/similar", None),
        ("/recommendations/ada", "ada"),
        ("/recommendations", None),
    ],
)
def test_whom_a_path_is_about(path: str, user: str | None) -> None:
    assert user_in(path) == user


def test_reasons_are_for_the_user_whose_token_it_is() -> None:
    def ask(*users: str) -> None:
        _as_the_caller_may([RecommendationRequest(user_id=user, explain=True) for user in users], counted=1)

    before = CALLER.set(caller(token()))
    try:
        ask("ada", "ada")
        with pytest.raises(NotAllowed):
            ask("ada", "bob")
    finally:
        CALLER.reset(before)


def test_events_of_others_are_rejected_each() -> None:
    now = datetime.now(UTC)
    events = [
        {"event_id": str(at), "event_type": "view", "user_id": user, "item_id": "1"}
        for at, user in enumerate(("ada", "bob"))
    ]
    found = posted(json.dumps({"events": events}).encode(), now, now, "ada")
    assert [event.user_id for event in found.events] == ["ada"]
    assert [(one.position, one.reason) for one in found.rejected] == [
        (1, "user_id is not the user whose token was sent")
    ]


def test_the_middleware_looks_at_the_user_in_the_path() -> None:
    app = FastAPI()
    app.add_middleware(CheckAccess, access=ACCESS)
    add_error_answers(app)

    @app.get("/users/{user_id}/history")
    async def history(user_id: str) -> str:
        return user_id

    async def status(user: str, sent: str) -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
            return (await client.get(f"/users/{user}/history", headers={"authorization": f"Bearer {sent}"})).status_code

    assert asyncio.run(status("ada", token())) == 200
    assert asyncio.run(status("bob", token())) == 401
    assert asyncio.run(status("ada", token(seconds=-60))) == 401


def test_a_signature_is_read_once_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def user(_: UserTokens, sent: str) -> str:
        read.append(sent)
        return "ada"

    monkeypatch.setattr(UserTokens, "user", user)
    ada = caller(token())
    ada.only_user(Scope.EVENTS)
    ada.require_of(Scope.HISTORY, "ada")
    assert len(read) == 1


@pytest.mark.parametrize(("sent", "taken"), [("a token", 1), ("the key of operations", 5)])
def test_events_of_a_token_are_charged_by_their_number_and_those_of_a_key_by_the_request(sent: str, taken: int) -> None:
    settings = SETTINGS.model_copy(update={"lists_per_second": 0.001, "lists_at_once": 100.0, "lists_in_flight": 64})
    kept: list[int] = []

    def keep(events: Sequence[Interaction]) -> Future[list[bool]]:
        kept.append(len(events))
        done: Future[list[bool]] = Future()
        done.set_result([True] * len(events))
        return done

    intake = MagicMock(keep=keep)
    service = MagicMock(intake=intake, seconds=time.time, metrics=Metrics(CollectorRegistry(), "stable"))
    service.is_erased.return_value = False
    service.variants.return_value = ["stable"]
    app = FastAPI()
    app.include_router(events.router(service))
    add_error_answers(app)
    app.add_middleware(CheckAccess, access=Access(settings))

    async def ask() -> list[int]:
        transport = httpx.ASGITransport(app)
        bearer = {"authorization": f"Bearer {token() if sent == 'a token' else sent}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://server", headers=bearer) as client:
            return [(await client.post("/events", json=body(number))).status_code for number in range(5)]

    def body(number: int) -> dict[str, Any]:
        one = {"event_type": "view", "user_id": "ada", "item_id": "tea"}
        return {"events": [one | {"event_id": f"{number}-{position}"} for position in range(60)]}

    statuses = asyncio.run(ask())
    assert statuses == [202] * len(kept) + [429] * (5 - len(kept))
    assert len(kept) == taken

"""Several keys with scopes, who may do what, and rotation while the server runs."""

import asyncio
import os
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from contracts.audit.audit_log import Actor
from contracts.errors import InvalidInput
from serving.api.access import CALLER, Access, Caller, CheckAccess
from serving.api.grpc_calls import address_of
from serving.api.keys import LOOK_SECONDS, KeyRing, Scope, read_keys
from serving.api.needed_scopes import scope_needed
from serving.api.routes.errors import add_error_answers
from serving.settings import ServingSettings

SITE, OPS = "the key of the site", "the key of the people"
FILE = f"""
- {{name: site, key: {SITE}, scopes: [lists, events]}}
- {{name: people, key: {OPS}, scopes: [history, admin, metrics, rollout]}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.yaml"
    path.write_text(FILE)
    return path


def caller(access: Access, key: str = "", address: str | None = "10.0.0.8", **headers: str) -> Caller:
    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Caller(access, [*sent, (b"authorization", f"Bearer {key}".encode())] if key else sent, address)


def test_each_key_opens_its_scopes_and_no_other(file: Path) -> None:
    access = Access(ServingSettings(api_keys=file, open_scopes="none"))
    opened = {key: {scope.value for scope in Scope if caller(access, key).may(scope)} for key in (SITE, OPS, "x", "")}
    assert opened == {SITE: {"lists", "events"}, OPS: {"history", "admin", "metrics", "rollout"}, "x": set(), "": set()}


def test_the_key_of_the_environment_opens_everything(file: Path) -> None:
    access = Access(ServingSettings(api_key=SecretStr("the key of all doors"), api_keys=file))
    assert all(caller(access, "the key of all doors").may(scope) for scope in Scope)
    assert caller(access, SITE).may(Scope.EVENTS)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.8", None])
def test_with_keys_an_address_opens_nothing(file: Path, address: str | None) -> None:
    access = Access(ServingSettings(api_keys=file))
    assert [scope for scope in Scope if caller(access, address=address).may(scope)] == [Scope.LISTS]


def test_without_keys_only_this_machine_may_see_more_than_lists() -> None:
    access = Access(ServingSettings())
    assert all(caller(access, address="127.0.0.1").may(scope) for scope in Scope)
    assert [scope for scope in Scope if caller(access).may(scope)] == [Scope.LISTS]
    assert [s for s in Scope if caller(access, address="127.0.0.1", x_forwarded_for="1.2.3.4").may(s)] == [Scope.LISTS]


def test_what_is_open_is_said() -> None:
    access = Access(ServingSettings(open_scopes="lists, metrics"))
    assert access.sentence().startswith("Open without a key: pages, health and lists, metrics (")
    assert "Anybody who knows a user's id sees in a list what that user bought" in access.sentence()
    closed = Access(ServingSettings(open_scopes="none")).sentence()
    assert "pages, health and nothing" in closed and "Lists tell" not in closed
    assert not {"\n", "\r"} & set(access.sentence() + closed)
    with pytest.raises(InvalidInput, match="names 'list', which is not a scope; there is lists, history"):
        Access(ServingSettings(open_scopes="list"))


def test_erasures_cannot_be_open_to_everybody() -> None:
    with pytest.raises(InvalidInput, match="Use a key"):
        Access(ServingSettings(open_scopes="lists, erase"))


def test_only_a_key_with_the_scope_erases(file: Path) -> None:
    file.write_text(FILE + "- {name: rights, key: the key of the rights, scopes: [erase]}\n")
    access = Access(ServingSettings(api_keys=file))
    assert scope_needed("DELETE", "/users/1") is Scope.ERASE
    assert scope_needed("DELETE", "/users/a%2Fb/history") is Scope.ERASE
    assert [caller(access, key).may(Scope.ERASE) for key in (SITE, OPS, "", "the key of the rights")] == [
        False, False, False, True,
    ]  # fmt: skip


def test_the_audit_log_names_the_key_and_the_address_and_never_the_key_itself(file: Path) -> None:
    access = Access(ServingSettings(api_key=SecretStr("the key of all doors"), api_keys=file))
    assert caller(access, OPS).actor() == Actor("key people", "10.0.0.8", "http")
    assert caller(access, "the key of all doors").actor().who == "key TANDEM_API_KEY"
    assert caller(access, "another").actor().who == "no key"
    assert caller(Access(ServingSettings()), address="127.0.0.1").actor() == Actor("no key", "127.0.0.1", "http")


def test_keys_are_changed_while_the_server_runs(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    ring = KeyRing(ServingSettings(api_keys=file))
    changes = ring._changes
    assert changes is not None

    def later(text: str, mtime: int) -> None:
        file.write_text(text)
        os.utime(file, (mtime, mtime))
        changes._looked -= LOOK_SECONDS

    later(FILE.replace(SITE, "the site's next key"), 1)
    assert ring.scopes(SITE) is None
    assert ring.scopes("the site's next key") == frozenset({Scope.LISTS, Scope.EVENTS})
    later("- {name: site, key: short, scopes: [lists]}", 2)  # broken: what there was goes on
    assert ring.scopes("the site's next key") == frozenset({Scope.LISTS, Scope.EVENTS})
    assert "The keys stay as they were" in caplog.text
    assert "short" not in caplog.text
    file.unlink()
    changes._looked -= LOOK_SECONDS
    assert ring.scopes("the site's next key")


def test_an_empty_file_of_keys_locks_and_does_not_open(tmp_path: Path) -> None:
    (tmp_path / "keys.yaml").write_text("[]")
    access = Access(ServingSettings(api_keys=tmp_path / "keys.yaml"))
    assert not caller(access, address="127.0.0.1").may(Scope.ADMIN)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not YAML"),
        ("- {name: site, key: secret, key: secret, scopes: [lists]}", "has a key twice"),
        ("a: b", "should be a valid list"),
        ("- {name: site, key: secret, scopes: [lists]}", "0.key: Value should have at least 16"),
        ("- {name: site, key: a secret of many letters, scopes: [list]}", "0.scopes.0"),
        ("- {name: site, key: a secret of many letters, scopes: []}", "0.scopes"),
        ("- {name: 'a b', key: a secret of many letters, scopes: [lists]}", "0.name"),
    ],
)
def test_a_file_that_is_none_is_refused_without_a_key_in_the_text(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text(text)
    with pytest.raises(InvalidInput) as refused:
        read_keys(path)
    assert said in str(refused.value)
    assert "secret" not in str(refused.value)
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_keys(tmp_path / "absent")


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        ("GET", "/", None),
        ("GET", "/docs", None),
        ("GET", "/swagger/swagger-ui.css", None),
        ("GET", "/v1/models/recommender", None),
        ("GET", "/v2/health/ready", None),
        ("GET", "/bundle", None),
        ("POST", "/v1/models/recommender:predict", Scope.LISTS),
        ("POST", "/v2/models/ranking/infer", Scope.LISTS),
        ("GET", "/recommendations/1", Scope.LISTS),
        ("GET", "/items/1/similar", Scope.LISTS),
        ("POST", "/items", Scope.CATALOGUE),
        ("POST", "/events", Scope.EVENTS),
        ("GET", "/users/1/history", Scope.HISTORY),
        ("GET", "/explain/1/2", Scope.HISTORY),
        ("GET", "/metrics", Scope.METRICS),
        ("POST", "/admin/bundle", Scope.ADMIN),
        ("GET", "/docsx", Scope.ADMIN),  # what nobody has thought of is for administrators
        ("DELETE", "/anything", Scope.ADMIN),
    ],
)
def test_what_a_request_needs(method: str, path: str, needed: Scope | None) -> None:
    assert scope_needed(method, path) is needed


def test_a_refusal_comes_before_the_body_and_says_whether_the_key_or_its_scope_is_missing(file: Path) -> None:
    app = FastAPI()
    app.add_middleware(CheckAccess, access=Access(ServingSettings(api_keys=file)))
    add_error_answers(app)

    async def post(key: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
            headers = {"authorization": f"Bearer {key}"} if key else {}
            return await client.post("/admin/bundle", content=b"x" * 100_000, headers=headers)

    assert asyncio.run(post("")).status_code == 401
    refused = asyncio.run(post(SITE))
    assert (refused.status_code, refused.json()["error"]) == (
        403,
        "This key does not open this: it lacks the scope admin.",
    )


def test_only_a_rollout_may_ask_without_a_trace(file: Path) -> None:
    access = Access(ServingSettings(api_keys=file))
    mirrored = {"x_tandem_mirror": "1", "x_tandem_slot": "green"}
    rollout, stranger = caller(access, OPS, **mirrored), caller(access, **mirrored)
    assert (rollout.is_mirrored, rollout.is_forced) == (True, False)
    assert (stranger.is_mirrored, stranger.is_forced) == (False, True)
    assert not caller(access).is_forced


@pytest.mark.parametrize(
    ("peer", "address"),
    [("ipv4:127.0.0.1:5000", "127.0.0.1"), ("ipv6:%5B::1%5D:5000", "::1"), ("unix:/tmp/x", None), ("", None)],
)
def test_where_a_grpc_call_comes_from(peer: str, address: str | None) -> None:
    assert address_of(peer) == address


def test_the_caller_is_known_to_nobody_outside_of_a_request() -> None:
    with pytest.raises(LookupError):
        CALLER.get()

"""Who may ask what: holders of a key with that scope, or with no keys configured only this machine.

The one check stands in front of every route and before a body is read; which scope a path needs is said in
needed_scopes.py. Only what a body says is looked at later: whose reasons and whose events it is about.
"""

from collections.abc import Sequence
from contextvars import ContextVar
from ipaddress import ip_address
from typing import Any, Final

from fastapi import Depends
from fastapi.security import HTTPBearer
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from contracts.api.records import MIRROR_HEADER, SLOT_HEADER
from contracts.audit.audit_log import Actor
from contracts.errors import InvalidInput, NotAllowed
from serving.api.addresses import address_in, network_of
from serving.api.keys import KeyRing, Scope
from serving.api.needed_scopes import scope_needed, user_in
from serving.api.rate_limits import FORCED, InFlight, RateLimit, TooManyRequests
from serving.api.routes.errors import refusal
from serving.api.user_tokens import OPENED, UserTokens, looks_like_one
from serving.settings import ServingSettings

MIRROR, SLOT = MIRROR_HEADER.encode(), SLOT_HEADER.encode()
FORWARDED_FOR: Final = b"x-forwarded-for"
FORWARDED = (FORWARDED_FOR, b"forwarded", b"x-real-ip")
BEARER = HTTPBearer(auto_error=False, description="A key of the server, or a token of the user.")
LOCKED: Final[list[Any]] = [Depends(BEARER)]
"""Dependencies of a route that asks for a key: they put the lock on the API page, and CheckAccess does the rest."""
Headers = Sequence[tuple[bytes, bytes]]

NOTHING: Final = "none"
"""TANDEM_OPEN_SCOPES where nothing is open: an empty variable is as good as none, and lists are open then."""
BEARER_PREFIX: Final = b"bearer "


class LacksScope(NotAllowed):
    """A known key without the scope that the request needs."""

    http_status = 403


class Caller:
    """Who sent one request, as far as a key or an address says. Headers and key are read once, and asked often."""

    __slots__ = (
        "_access", "_address", "_charged", "_headers", "_held", "_holder", "_lines", "_named", "_sent", "_user"
    )  # fmt: skip

    def __init__(self, access: "Access", headers: Headers, address: str | None) -> None:
        """address: of the other end of the connection, None where it has none."""
        self._access = access
        self._lines = headers
        self._headers = dict(headers[::-1])  # the first of a name counts
        self._address = address
        self._sent = _bearer(self._headers.get(b"authorization", b""))
        self._holder = access.keys.holder(self._sent) if self._sent and access.keys else None
        self._charged = 0.0  # lists of this request, against the rate
        self._held = 0.0  # lists that are being made
        self._named: str | None = None
        self._user: str | None = None  # whose token it is, once it was read

    def may(self, scope: Scope) -> bool:
        """Whether the caller has this scope."""
        return scope in self._access.open or self._is_allowed(scope)

    def require(self, scope: Scope, *, open_too: bool = True) -> None:
        """Returns if the caller has the scope. open_too: also if the scope is open to everybody.

        Raises NotAllowed (401) or LacksScope (403) with what is expected.
        """
        if not (self.may(scope) if open_too else self._is_allowed(scope)):
            raise self._refusal(scope)

    def require_of(self, scope: Scope, user_id: str) -> None:
        """Returns if the caller has the scope, or a token of this user that opens it. Raises like `require`."""
        if not self.may(scope) and (scope not in OPENED or self._token_of() != user_id):
            raise self._refusal(scope)

    def only_user(self, scope: Scope) -> str | None:
        """The only user that a request may be about, or None for a caller with the scope for all users.

        Raises NotAllowed (401) or LacksScope (403) for a caller without the scope.
        """
        if self.may(scope):
            return None
        user = self._token_of() if scope in OPENED else None
        if user is None:
            raise self._refusal(scope)
        return user

    def actor(self) -> Actor:
        """Who the audit log names for what this caller changes."""
        return Actor(f"key {self._holder.name}" if self._holder else "no key", self._origin(), "http")

    def charge(self, lists: float) -> None:
        """Counts the lists against the caller's rate, and as in flight until `done`. Raises TooManyRequests (429)."""
        rate, in_flight = self._access.limit, self._access.in_flight
        if not lists or (rate is None and in_flight is None) or self.is_mirrored:
            return
        name = self._named = self._named or self._name()
        if in_flight is not None:
            self._hold(in_flight, name, lists)
        if rate is not None:
            self._take(rate, name, lists)

    def charge_events(self, events: int) -> None:
        """Counts these as that many lists against the rate of a caller without a key. Raises TooManyRequests (429).

        A key is a service's, which posts what all users do.
        """
        rate = self._access.limit
        if rate is not None and not self.is_known:
            self._take(rate, self._name(), events)

    def _take(self, rate: RateLimit, name: str, lists: float) -> None:
        rate.charge(name, lists, self._charged)
        self._charged += lists

    def _hold(self, in_flight: InFlight, name: str, lists: float) -> None:
        """Lists that the same request was charged for before do not count against the rest of it."""
        in_flight.give_back(name, self._held)
        held, self._held = self._held + lists, 0.0
        in_flight.take(name, held)
        self._held = held

    def done(self) -> None:
        """The request is over."""
        if self._held and self._access.in_flight is not None and self._named is not None:
            self._access.in_flight.give_back(self._named, self._held)
            self._held = 0.0

    @property
    def is_known(self) -> bool:
        """Whether a key says who it is; without keys, whether it is this machine."""
        return self._holder is not None if self._access.keys else self._is_local()

    @property
    def is_mirrored(self) -> bool:
        """Whether nobody will see the answer; only a rollout may say so, or somebody could ask without a trace."""
        return self._headers.get(MIRROR) == b"1" and self._is_allowed(Scope.ROLLOUT)

    @property
    def is_forced(self) -> bool:
        """Whether the caller has chosen the slot, so that the answer must not count in a comparison of slots."""
        return SLOT in self._headers and not self.is_mirrored

    def _is_allowed(self, scope: Scope) -> bool:
        if not self._access.keys:
            return self._is_local()
        return self._holder is not None and scope in self._holder.scopes

    def _refusal(self, scope: Scope) -> NotAllowed:
        if not self._access.keys:
            return NotAllowed(
                "This server was started without TANDEM_API_KEY, so this works only from the machine it runs on. "
                "Start it with a key and send 'Authorization: Bearer KEY'."
            )
        if self._holder is not None:
            return LacksScope(f"This key does not open this: it lacks the scope {scope.value}.")
        return NotAllowed(
            "This needs the header 'Authorization: Bearer KEY' with the key of TANDEM_API_KEY, or with one of "
            f"TANDEM_API_KEYS that has the scope {scope.value}."
        )

    def _token_of(self) -> str | None:
        """The user whose token was sent; None where none was. Raises NotAllowed for one that is not taken."""
        tokens, sent = self._access.tokens, self._sent
        if self._user is None and tokens is not None and looks_like_one(sent):
            self._user = tokens.user(sent)
        return self._user

    def _name(self) -> str:
        """The name under which the caller's rate is counted: a known key, else an address, unless it forces a slot."""
        if self._holder is not None:
            return f"key {hash(self._sent)}"
        return FORCED if self.is_forced else network_of(self._origin())

    def _origin(self) -> str:
        """The address that asks, as far as it can be trusted: a proxy may add its entry to a line or as a new one."""
        if proxies := self._access.proxies:
            lines = b",".join(line for name, line in self._lines if name == FORWARDED_FOR)
            entries = lines.rsplit(b",", proxies)
            if len(entries) >= proxies and (seen := address_in(entries[-proxies].decode("latin-1"))):
                return seen
        return self._address or ""

    def _is_local(self) -> bool:
        """Whether nobody stands between: a proxy on this machine speaks for callers elsewhere."""
        if self._address is None or any(name in self._headers for name in FORWARDED):
            return False
        try:
            return ip_address(self._address).is_loopback
        except ValueError:  # a socket without an address
            return False


class Access:
    """What is open, and which keys open the rest."""

    def __init__(self, settings: ServingSettings) -> None:
        """Raises InvalidInput for a file of keys or a list of open scopes that cannot be used."""
        self.keys = KeyRing(settings)
        self.open = _open(settings.open_scopes)
        self.proxies = settings.trusted_proxies
        rate = settings.lists_per_second
        self.limit = RateLimit(rate, settings.lists_at_once) if rate else None
        self.in_flight = InFlight(settings.lists_in_flight) if settings.lists_in_flight else None
        signing = settings.user_token_key
        self.tokens = UserTokens(signing.get_secret_value()) if signing else None

    def caller(self, scope: AsgiScope) -> Caller:
        """Who sent an HTTP request."""
        client = scope.get("client")
        return Caller(self, scope["headers"], client[0] if client else None)

    def sentence(self) -> str:
        """What anybody may do, for the log of a start."""
        names = ", ".join(sorted(self.open)) or "nothing"
        told = (
            "Anybody who knows a user's id sees in a list what that user bought; without lists in it they need a key. "
            if Scope.LISTS in self.open
            else ""
        )
        rest = "keys of that scope" if self.keys else "this machine, as there is no key"
        return f"Open without a key: pages, health and {names} (TANDEM_OPEN_SCOPES). {told}The rest is for {rest}."


CALLER: ContextVar[Caller] = ContextVar("caller")
"""Of the request that is being answered; KServe hands its models headers alone."""


class CheckAccess:
    """ASGI middleware: answers a caller who may not ask with 401 or 403, before the body is read."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Passes on callers who may ask; the rest of the request knows who they are."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        caller = self._access.caller(scope)
        CALLER.set(caller)
        if caller.is_forced:
            scope.setdefault("state", {})["forced"] = True  # for CountRequests
        try:
            self._check(caller, scope)
        except (NotAllowed, TooManyRequests) as error:
            caller.done()
            await refusal(error)(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            caller.done()

    def _check(self, caller: Caller, scope: AsgiScope) -> None:
        needed = scope_needed(scope["method"], scope["path"])
        if needed is None:
            return
        if not caller.may(needed):
            if needed is Scope.EVENTS:
                caller.only_user(needed)  # whose events they are, the body says
            elif (user := user_in(scope["path"])) is not None:
                caller.require_of(needed, user)
            else:
                caller.require(needed)
        caller.charge(1)


def _bearer(authorization: bytes) -> str:
    """The key or token of the header; empty for none."""
    is_bearer = authorization[: len(BEARER_PREFIX)].lower() == BEARER_PREFIX
    return authorization[len(BEARER_PREFIX) :].decode("latin-1").strip() if is_bearer else ""


def _open(names: str) -> frozenset[Scope]:
    listed = [name.strip() for name in names.split(",") if name.strip() not in ("", NOTHING)]
    if unknown := [name for name in listed if name not in set(Scope)]:
        there = ", ".join(Scope)
        raise InvalidInput(f"TANDEM_OPEN_SCOPES names {unknown[0]!r}, which is not a scope; there is {there}.")
    if Scope.ERASE in listed:
        raise InvalidInput(
            "TANDEM_OPEN_SCOPES names 'erase': anybody could take anybody out of every store. Use a key."
        )
    return frozenset(map(Scope, listed))

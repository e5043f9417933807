"""Which sites may send requests here through their visitors' browsers."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.runtime.bounded import BoundedDict
from serving.settings import ServingSettings

HOSTS_REMEMBERED = 1000
READING = ("GET", "HEAD", "OPTIONS")
SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (
        b"content-security-policy",
        b"default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
        b"img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
)
"""Headers of every answer, which keep a browser to what a page says it is."""


class AllowedSites:
    """ASGI middleware: 403 for a host name or an origin that is not ours, 415 for a body that is not JSON.

    A browser sends a text/plain body to any site without asking, and a foreign name that DNS points here lets a
    foreign page read our answers: a server on loopback answers to addresses and to localhost alone.
    """

    def __init__(self, app: ASGIApp, settings: ServingSettings) -> None:
        self._app = app
        self._hosts = listed(settings.allowed_hosts)
        self._origins = listed(settings.allowed_origins)
        self._is_local = _is_loopback(settings.host)
        self._ours: BoundedDict[bytes, bool] = BoundedDict(HOSTS_REMEMBERED)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what comes from where it may."""
        refused = self._refusal(scope) if scope["type"] == "http" else None
        if refused is None:
            await self._app(scope, receive, send)
        else:
            status, text = refused
            await JSONResponse({"error": text}, status)(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 and (hosts or scope.get("http_version") == "1.1"):
            return 400, f"A request has one Host header, this one has {len(hosts)}."
        host = hosts[0] if hosts else b""
        is_ours = self._ours.get(host)
        if is_ours is None:  # to read a name costs a hundredth of a list
            is_ours = self._ours[host] = not hosts or self._is_ours(host.decode("latin-1"))
        if not is_ours:
            shown = host[:128].decode("latin-1")
            return 403, f"This server does not answer to the name {shown!r}. Names are set by TANDEM_ALLOWED_HOSTS."
        return None if scope["method"] in READING else self._refusal_of_change(scope, host.decode("latin-1"))

    def _refusal_of_change(self, scope: Scope, host: str) -> tuple[int, str] | None:
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        if origin and origin not in self._origins and urlsplit(origin).netloc.lower() != host.lower():
            return 403, f"Requests from {origin[:128]!r} are not taken. Sites are set by TANDEM_ALLOWED_ORIGINS."
        kind = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
        if kind and kind in FORMS:
            return 415, f"The body is {kind}. Send JSON with content-type application/json."
        return None

    def _is_ours(self, host: str) -> bool:
        name = _name_of(host)
        if self._hosts:
            return name in self._hosts
        return not self._is_local or name == "localhost" or _is_address(name)


FORMS = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data")
"""What a browser sends to another site without asking it first."""


def listed(text: str) -> frozenset[str]:
    """The names of a comma-separated setting, in lower case as browsers send them."""
    return frozenset(part.strip().lower() for part in text.split(",") if part.strip())


def _name_of(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".").lower()


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)

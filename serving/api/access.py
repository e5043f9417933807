"""Who may write and look inside: holders of the key, or with no key configured only this machine."""

import hmac
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from contracts.errors import NotAllowed
from serving.settings import ServingSettings

FORWARDED = ("x-forwarded-for", "forwarded")
BEARER = HTTPBearer(auto_error=False, description="The key that the server was started with (TANDEM_API_KEY).")
ApiKeyCheck = Callable[..., Awaitable[None]]


def key_required(settings: ServingSettings) -> ApiKeyCheck:
    """The dependency of routes for events, administration and explanations.

    Raises NotAllowed (401) with what is expected.
    """

    api_key = settings.api_key.get_secret_value() if settings.api_key else ""

    async def with_key(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]) -> None:
        sent = credentials.credentials if credentials else ""
        # In constant time: how long a refusal takes must not say how much of a guess was right.
        if not hmac.compare_digest(sent.encode(), api_key.encode()):
            raise NotAllowed("This needs the header 'Authorization: Bearer KEY' with the key of TANDEM_API_KEY.")

    async def from_here(request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]) -> None:
        if not _is_local(request):
            raise NotAllowed(
                "This server was started without TANDEM_API_KEY, so this works only from the machine it runs on. "
                "Start it with a key and send 'Authorization: Bearer KEY'."
            )

    return with_key if api_key else from_here


def _is_local(request: Request) -> bool:
    """Whether nobody stands between: a proxy on this machine speaks for callers elsewhere."""
    if request.client is None or any(name in request.headers for name in FORWARDED):
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:  # a socket without an address
        return False

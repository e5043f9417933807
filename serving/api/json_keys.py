"""A key that an object of a JSON body has twice is refused: every parser keeps the last value and says nothing."""

import asyncio
import json
from collections import Counter
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.spelling import MAX_NAME


class RepeatedKey(ValueError):
    """Its text is the key."""


class TooDeep(ValueError):
    """What is nested so deep that this parser gives up, and another may not."""


LONG: Final = 32_768
"""Bytes of a body that is read in another thread: one of 1 MiB takes 60 ms, and others are answered meanwhile."""


def _keys(pairs: list[tuple[str, Any]]) -> None:
    """Nothing, so that nothing is built of the body a second time."""
    if len(dict(pairs)) < len(pairs):
        raise RepeatedKey(Counter(key for key, _ in pairs).most_common(1)[0][0])


# Numbers stay text, as one of a million digits would take minutes to read.
DECODER: Final = json.JSONDecoder(object_pairs_hook=_keys, parse_int=str, parse_float=str)


def refuse_repeated(body: bytes) -> None:
    """Returns for a body without repeated keys, and for one that is not JSON: its parser says so.

    JSON that other bytes follow, as KServe's binary tensors do, is looked at, whatever length a header claims for it.
    Raises RepeatedKey or TooDeep.
    2 us for a request, and 0.9 us for each further object.
    """
    try:
        DECODER.decode(_text(body))
    except RepeatedKey:
        raise
    except RecursionError as error:
        raise TooDeep from error
    except ValueError:
        return


def _text(body: bytes) -> str:
    encoding = json.detect_encoding(body)
    try:
        return body.decode(encoding, "surrogatepass")
    except UnicodeDecodeError:
        return body.decode(encoding, "surrogateescape")  # different bytes stay different


class DistinctKeys:
    """ASGI middleware: 400 that names the key, once the body is whole. Its length is limited before."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on; its reader meets the refusal instead of the end of the body."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        parts: list[bytes] = []

        async def checked() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                parts.append(message.get("body", b""))
                if not message.get("more_body"):
                    body = b"".join(parts)
                    if len(body) > LONG:
                        await asyncio.to_thread(_refuse, body)
                    else:
                        _refuse(body)
            return message

        await self._app(scope, checked, send)


def _refuse(body: bytes) -> None:
    try:
        refuse_repeated(body)
    except RepeatedKey as error:
        raise HTTPException(
            400, f"The body has the key {str(error)[:MAX_NAME]!r} twice in one object. Send each key once."
        ) from error
    except TooDeep as error:
        raise HTTPException(400, "The body is nested too deep to be read.") from error

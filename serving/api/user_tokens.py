"""Tokens that a site's own server signs for one of its users: what a browser may hold, as it can hold no key.

A token is a JWT (RFC 7519) of HMAC-SHA256 with `sub` (the user id), `exp` and `aud` ("tandem"). It opens that user's
lists, history, reasons and events, and nothing of anybody else.
"""

import time
from typing import Final

import jwt

from contracts.errors import NotAllowed
from serving.api.keys import Scope

AUDIENCE: Final = "tandem"
ALGORITHM: Final = "HS256"
LONGEST_SECONDS: Final = 3600
"""From now to `exp`: a token that leaks is soon worth nothing, and there is no list of revoked ones to keep."""
CLOCKS_DIFFER_SECONDS: Final = 30
OPENED: Final = frozenset({Scope.LISTS, Scope.HISTORY, Scope.EVENTS})


class UserTokens:
    """Reads tokens of one signing key."""

    def __init__(self, key: str) -> None:
        self._key = key

    def user(self, token: str) -> str:
        """The id of the user whose token it is. Raises NotAllowed with what is wrong with it."""
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                leeway=CLOCKS_DIFFER_SECONDS,
                options={"require": ["sub", "exp", "aud"]},
            )
        except jwt.PyJWTError as error:
            raise NotAllowed(f"This token of a user is not taken: {error}.") from error
        if float(claims["exp"]) > time.time() + LONGEST_SECONDS + CLOCKS_DIFFER_SECONDS:
            raise NotAllowed(f"This token of a user is not taken: it is good for more than {LONGEST_SECONDS} s.")
        return str(claims["sub"])


def looks_like_one(sent: str) -> bool:
    """Whether a bearer's text is a JWT by its form: three parts of base64, the first of a JSON object."""
    return sent.startswith("eyJ") and sent.count(".") == 2

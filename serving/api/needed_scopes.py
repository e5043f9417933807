"""Which scope a request needs, by its method and its path; a path that nothing here names is for administrators."""

from typing import Final

from serving.api.keys import Scope
from serving.api.paths import id_in

OPEN: Final = ("/docs", "/openapi.json", "/swagger", "/bundle", "/progress", "/favicon.ico", "/v2/health")
NEEDED: Final = (
    ("/recommendations", Scope.LISTS),
    ("/items", Scope.LISTS),
    ("/users", Scope.HISTORY),
    ("/explain", Scope.HISTORY),
    ("/events", Scope.EVENTS),
    ("/metrics", Scope.METRICS),
)
"""By the beginning of a path; what is not named is for ADMIN."""
MODELS: Final = ("/v1/models", "/v2/models")
"""Whether a model is ready is open to probes; what it answers are lists."""


LISTS_OF_A_USER: Final = "/recommendations/"
OF_A_USER: Final = (LISTS_OF_A_USER, "/users/", "/explain/")
"""Beginnings of paths whose second part is the id of a user."""


def user_in(path: str) -> str | None:
    """The id of the user that a path is about, or None where it names none."""
    return id_in(path.split("/")[2]) if path.startswith(OF_A_USER) else None


def scope_needed(method: str, path: str) -> Scope | None:
    """The scope that a request needs, or None for one that is open to everybody."""
    if path.startswith(LISTS_OF_A_USER):  # the most asked path, before all others are looked at
        return Scope.LISTS
    if path == "/" or path == "/v2" or _below(path, OPEN):
        return None
    if _below(path, MODELS):
        return Scope.LISTS if method == "POST" else None
    if method == "POST" and path in ("/items", "/items/"):
        return Scope.CATALOGUE
    if method == "DELETE" and _below(path, ("/users",)):
        return Scope.ERASE
    return next((scope for beginning, scope in NEEDED if _below(path, (beginning,))), Scope.ADMIN)


def _below(path: str, beginnings: tuple[str, ...]) -> bool:
    return any(path == one or path.startswith(f"{one}/") for one in beginnings)

"""Where in a type a fault of pydantic lies: which fields there are, and which member of a union was meant."""

from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

Place = tuple[int | str, ...]
"""pydantic's `loc`: names of fields, places in lists, and in a union the name of one of its members."""


def fields_at(kind: Any, place: Place) -> list[str]:
    """The fields of the model that lies at the place; empty where none is known.

    kind: a model, any annotation, or a mapping of names to these.
    """
    for part in place:
        kind = _inside(kind, part)
    models = [member for member in _members(kind) if _is_model(member)]
    return list(dict.fromkeys(name for model in models for name in _annotations(model)))


def nearest(faults: Sequence[ErrorDetails], kind: Any) -> list[tuple[Place, ErrorDetails]]:
    """Each fault and where it is shown; of a union only those of the member that the input comes nearest to.

    pydantic tries each member and says what is wrong with the input as each of them. Nearest is the member in which it
    got deepest, then the one with the fewest unknown fields and faults. Its name is not shown: a client never wrote it.
    """
    if not isinstance(kind, Mapping):
        return _of_member(faults, kind, ())
    shown = [(fault["loc"], fault) for fault in faults if not fault["loc"] or fault["loc"][0] not in kind]
    for name, below in kind.items():
        shown += _of_member([fault for fault in faults if fault["loc"][:1] == (name,)], below, (name,))
    return shown


def _of_member(faults: Sequence[ErrorDetails], kind: Any, below: Place) -> list[tuple[Place, ErrorDetails]]:
    """The same, of faults whose places all begin with `below`, where a value of this kind was to be."""
    at = len(below)
    if len(_members(kind)) < 2 or any(len(fault["loc"]) <= at for fault in faults):
        return [(fault["loc"], fault) for fault in faults]
    members: dict[int | str, list[ErrorDetails]] = {}
    for fault in faults:
        members.setdefault(fault["loc"][at], []).append(fault)
    meant = min(members.values(), key=_distance, default=[])
    return [((*below, *fault["loc"][at + 1 :]), fault) for fault in meant]


def _distance(faults: Sequence[ErrorDetails]) -> tuple[int, int, int]:
    unknown = sum(fault.get("type") == "extra_forbidden" for fault in faults)
    return -max(len(fault["loc"]) for fault in faults), unknown, len(faults)


def _inside(kind: Any, part: int | str) -> Any:
    """The type of a field, or of the entries of a list or of a mapping; None where it is not known."""
    if isinstance(kind, Mapping):
        return kind.get(part)
    members = _members(kind)
    if meant := [member for member in members if len(members) > 1 and _name(member) == part]:
        return meant[0]
    for member in members:
        if _is_model(member) and (named := _annotations(member).get(str(part))) is not None:
            return named
        if not _is_model(member) and (entries := [one for one in get_args(member) if one is not Ellipsis]):
            return entries[-1]
    return None


def _members(kind: Any) -> list[Any]:
    """The types of which one is meant, without None."""
    if get_origin(kind) is Annotated:
        return _members(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return [member for one in get_args(kind) if one is not NoneType for member in _members(one)]
    return [kind]


def _name(kind: Any) -> str:
    return getattr(kind, "__name__", "")


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _annotations(model: type[BaseModel]) -> dict[str, Any]:
    return {info.alias or name: info.annotation for name, info in model.model_fields.items()}

"""A fault is said of the type that was meant, with the fields that there are."""

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from contracts.errors import faults_of
from contracts.places import fields_at


class Cup(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    colour: str | None = Field(None, alias="tint")


class Shelf(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cups: list[Cup] | None = None
    by_room: dict[str, Annotated[Cup, Field()]] = {}
    pair: tuple[Cup, ...] = ()


def said(kind: Any, given: Any) -> list[str]:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(kind).validate_python(given)
    return faults_of(refused.value, "cup", of=kind)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"cup": []}, "cup: there is no such field (did you mean 'cups'?); there is cups, by_room, pair"),
        (
            {"cups": [{"name": "a", "nam": 1}]},
            "cups.0.nam: there is no such field (did you mean 'name'?); there is name, tint",
        ),
        ({"by_room": {"hall": {"name": "a", "x": 1}}}, "by_room.hall.x: there is no such field; there is name, tint"),
        ({"pair": [{"name": "a", "x": 1}]}, "pair.0.x: there is no such field; there is name, tint"),
    ],
)
def test_an_unknown_field_is_named_with_those_of_its_place(given: Any, fault: str) -> None:
    assert said(Shelf, given) == [fault]


@pytest.mark.parametrize(
    ("given", "faults"),
    [
        ({"name": "a", "nam": 1}, ["nam: there is no such field (did you mean 'name'?); there is name, tint"]),
        ({"cup": []}, ["cup: there is no such field (did you mean 'cups'?); there is cups, by_room, pair"]),
        ({"cups": [{"name": 1}]}, ["cups.0.name: Input should be a valid string"]),  # as a Cup it has two faults
        (5, ["cup: Input should be a valid dictionary or instance of Cup"]),
    ],
)
def test_of_a_union_the_nearest_member_is_meant(given: Any, faults: list[str]) -> None:
    assert said(Cup | Shelf | bytes, given) == faults


def test_where_the_type_is_not_known_no_fields_are_named() -> None:
    with pytest.raises(ValidationError) as refused:
        Cup.model_validate({"name": "a", "x": 1})
    assert faults_of(refused.value) == ["x: there is no such field"]
    assert fields_at(Shelf, ("cups", 0, "name", "deeper")) == []
    assert fields_at({"body": Shelf}, ("header",)) == []


def test_a_huge_name_is_compared_with_nothing() -> None:
    (fault,) = said(Cup, {"name": "a", "n" * 3_000_000: 1})
    assert len(fault) <= 301


def test_a_fault_that_is_not_pydantics_own_is_said_in_its_words() -> None:
    found = [{"loc": ("query", "x"), "msg": "no such thing"}]
    assert faults_of(found, of={"body": Shelf}) == ["query.x: no such thing"]  # type: ignore[arg-type]

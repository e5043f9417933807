"""What is spelled nearly alike is asked for, in one sentence wherever a name is not there."""

from collections.abc import Callable

import pytest

from contracts.spelling import MAX_NAME, MOST_COMPARED, alike, did_you_mean, meant


def test_the_question_names_what_is_there() -> None:
    assert meant("titel", ["price", "title"]) == " (did you mean 'title'?)"
    assert meant("colour", ["price", "title"]) == ""
    assert meant("colour", []) == ""
    assert meant("title", ["titles", "titled"]).count("title") == 1
    assert did_you_mean([]) == ""
    assert did_you_mean(["a"]) == " (did you mean 'a'?)"
    assert did_you_mean(["a", "b"]) == " (did you mean 'a' or 'b'?)"
    assert did_you_mean(["a", "b b", "c"]) == " (did you mean 'a', 'b b' or 'c'?)"


def test_a_name_that_looks_the_same_is_shown_by_its_characters() -> None:
    composed, apart = "utilis\u00e9", "utilise\u0301"
    said = r" (did you mean 'utilise\u0301'? It looks the same and 'utilis\xe9' is asked for: copy the name)"
    assert meant(composed, ["titel", apart]) == said
    assert r"'utilis\xe9'? It looks the same and 'utilise\u0301'" in meant(apart, [composed])
    assert meant("titel", ["title", composed]) == " (did you mean 'title'?)"


def test_how_alike_two_names_must_be_is_for_the_caller_to_say() -> None:
    # BAK of BAKXXX and BAKERY: twice 3 letters of 12.
    assert alike("BAKXXX", ["BAKERY"], 1, 0.5) == ["BAKERY"]
    assert alike("BAKXXX", ["BAKERY"], 1, 0.51) == []
    assert meant("BAKXXX", ["BAKERY"], 0.5) == " (did you mean 'BAKERY'?)"
    # Three quarters are enough where nothing is said: twice 3 letters of 8.
    assert meant("nama", ["name"]) == " (did you mean 'name'?)"
    assert meant("naxa", ["name"]) == ""


def test_as_many_are_named_as_are_asked_for_the_nearest_first() -> None:
    there = ["tea 12", "tea 1", "tea", "soap"]
    assert alike("tea", there, 3, 0.5) == ["tea", "tea 1", "tea 12"]
    assert alike("tea", there, 2, 0.5) == ["tea", "tea 1"]


def test_of_two_names_that_differ_by_case_alone_the_first_is_named() -> None:
    assert alike("tae", ["Tea", "TEA"], 3, 0.5) == ["Tea"]


@pytest.mark.parametrize("spell", [str.upper, str.lower, str.title])
@pytest.mark.parametrize(
    ("asked", "expected"),
    [("privte", "private"), ("Soft-Drink", "soft-drinks"), ("PRODUSE", "produce"), ("tols", "tools")],
)
def test_what_is_near_is_named_in_any_case(asked: str, expected: str, spell: Callable[[str], str]) -> None:
    terms = [spell(term) for term in ("alnatura", "bonduelle", "coop", "private", "produce", "soft-drinks", "tools")]
    assert alike(asked, terms, 3, 0.5)[0] == spell(expected)


def test_of_many_terms_those_that_can_be_near_are_compared() -> None:
    terms = [f"{letter}{number:05d}" for letter in "xyz" for number in range(10_000)] + ["Private"]
    assert alike("privte", terms, 3, 0.5) == ["Private"]
    assert alike("p" * 10_000, terms, 3, 0.5) == []


def test_of_too_many_those_of_about_the_same_length_and_the_same_first_letter_are_compared() -> None:
    many = [f"x{number:05d}" for number in range(MOST_COMPARED)]
    assert alike("privte", [*many, "Private"], 1, 0.5) == ["Private"]  # a third of six letters longer or shorter
    assert alike("privte", ["Private", *many], 1, 0.5) == ["Private"]
    assert alike("rivate", ["private", *many], 1, 0.5) == []  # another first letter: it is one too many
    assert alike("rivate", ["private", *many[1:]], 1, 0.5) == ["private"]
    assert alike("privte", [*many, "Privateers"], 1, 0.5) == []  # four letters longer
    assert alike("ab", [*many, "abcd"], 1, 0.5) == ["abcd"]  # of a short name two letters


def test_of_a_long_name_the_beginning_is_compared() -> None:
    assert alike("a" * MAX_NAME + "b" * MAX_NAME, ["a" * MAX_NAME], 1, 1.0) == ["a" * MAX_NAME]
    assert alike("a" * (MAX_NAME - 1) + "b", ["a" * MAX_NAME], 1, 1.0) == []

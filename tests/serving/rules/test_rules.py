"""Business rules: every fault of a file at once, and lists of a dozen items arranged by hand."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from contracts.errors import InvalidInput, MissingArtifact
from contracts.rules.rules import rule_set
from serving.rules.arrangement import arrange
from serving.rules.compile import denied, pinned_rows, quotas
from serving.rules.rule_file import read_rules
from tests.support.lists.catalogue import IDS
from tests.support.lists.rules import NAMES, NOON, arranged, rules_of, shown

FOOD, LIGHT, TOYS = ({"department": ["FOOD"]}, {"category": "light"}, {"department": ["Toys"]})


def test_without_rules_the_ranker_decides() -> None:
    assert shown(arranged(3)) == ["apple", "pear", "plum"]


def test_a_pin_takes_its_place_and_the_others_close_up() -> None:
    done = arranged(4, {"pin": {"item_id": "lamp", "position": 2}})
    assert shown(done) == ["apple", "lamp", "pear", "plum"]
    assert done.acted == {IDS.index("lamp"): ["rule-0"]}


def test_a_pin_counts_from_the_first_page() -> None:
    pin = {"pin": {"item_id": "lamp", "position": 4}}
    assert shown(arranged(3, pin)) == ["apple", "pear", "plum"]
    assert shown(arranged(3, pin, offset=3, candidates=NAMES[3:]), NAMES[3:]) == ["lamp", "bread", "bun"]


def test_a_pin_beyond_a_short_list_moves_up() -> None:
    assert shown(arranged(5, {"pin": {"item_id": "pear", "position": 5}}, candidates=NAMES[:3])) == [
        "apple",
        "plum",
        "pear",
    ]


def test_a_boost_multiplies_the_likelihood() -> None:
    """lamp is at -7; times e^4.5 it is at -2.5, between plum (-2) and bread (-3). bulb goes from -8 to -3.5."""
    done = arranged(6, {"boost": {"factor": float(np.exp(4.5)), "where": LIGHT}})
    assert shown(done) == ["apple", "pear", "plum", "lamp", "bread", "bulb"]
    assert set(done.acted) == {IDS.index("lamp"), IDS.index("bulb")}


def test_a_factor_below_one_sinks() -> None:
    assert shown(arranged(2, {"boost": {"factor": 0.01, "where": {"item_id": "apple"}}})) == ["pear", "plum"]


def test_buried_items_come_after_all_others() -> None:
    assert shown(arranged(7, {"bury": {"where": FOOD}}))[4:] == ["ball", "apple", "pear"]


def test_a_cap_holds_for_each_kind_and_says_what_it_passed_over() -> None:
    done = arranged(4, {"cap": {"at_most": 1, "per": "category"}})
    assert shown(done) == ["apple", "bread", "soap", "lamp"]
    assert {IDS[at] for at in done.left_out} == {"pear", "plum", "bun", "brush"}


def test_items_of_no_known_kind_are_not_capped_as_one() -> None:
    listed = shown(arranged(10, {"cap": {"at_most": 1, "per": "brand"}}))
    assert listed == ["apple", "plum", "bread", "soap", "brush", "ball"]  # the brush has no brand


def test_a_pinned_item_counts_in_the_caps() -> None:
    rules = ({"pin": {"item_id": "plum", "position": 1}}, {"cap": {"at_most": 1, "per": "category"}})
    assert shown(arranged(3, *rules)) == ["plum", "bread", "soap"]


def test_a_quota_makes_room_at_the_end() -> None:
    done = arranged(4, {"quota": {"at_least": 2, "where": LIGHT}})
    assert shown(done) == ["apple", "pear", "lamp", "bulb"]
    assert done.acted == {IDS.index("lamp"): ["rule-0"], IDS.index("bulb"): ["rule-0"]}


def test_a_quota_that_the_list_fills_anyway_moves_nothing() -> None:
    done = arranged(4, {"quota": {"at_least": 2, "where": FOOD}})
    assert (shown(done), done.acted) == (["apple", "pear", "plum", "bread"], {})


def test_a_quota_yields_to_a_cap_and_to_the_length_of_the_list() -> None:
    quota = {"quota": {"at_least": 5, "where": LIGHT}}
    assert shown(arranged(4, quota, {"cap": {"at_most": 1, "per": "category"}})) == ["apple", "bread", "soap", "lamp"]
    assert shown(arranged(1, quota)) == ["lamp"]


def test_two_quotas_are_both_kept() -> None:
    done = arranged(3, {"quota": {"at_least": 1, "where": LIGHT}}, {"quota": {"at_least": 1, "where": TOYS}})
    assert shown(done) == ["apple", "lamp", "ball"]


def test_what_the_other_stages_need_of_the_rules() -> None:
    active = rules_of(
        {"deny": {"where": {"brand": ["Pure"], "price_max": 10}}},
        {"pin": {"item_id": "ball", "position": 1}},
        {"quota": {"at_least": 2, "where": TOYS}},
    ).rules
    assert [IDS[row] for row in np.flatnonzero(denied(active)["rule-0"])] == ["soap", "bulb"]
    assert [IDS[row] for row in pinned_rows(active)] == ["ball"]
    ((at_least, members),) = quotas(active)
    assert (at_least, [IDS[row] for row in np.flatnonzero(members)]) == (2, ["ball"])


def test_names_that_the_catalogue_lacks_are_told_and_do_nothing() -> None:
    rules = rules_of({"pin": {"item_id": "gone", "position": 1}}, {"bury": {"where": {"brand": ["Nobody"]}}})
    assert rules.unknown == (
        "rule rule-0: the catalogue has no item 'gone'",
        "rule rule-1: the catalogue has no brand 'Nobody'",
    )
    active = rules.in_force("home", NOON)
    assert arrange(np.arange(10), -np.arange(10.0), np.arange(10), 2, active).positions == [0, 1]  # type: ignore[arg-type]


def test_surfaces_and_times_limit_a_rule() -> None:
    only_home = {"surfaces": ["home"], "bury": {"where": FOOD}}
    assert len(rules_of(only_home).in_force("home", NOON)) == 1
    assert len(rules_of(only_home).in_force("basket", NOON)) == 0
    ending = {"bury": {"where": FOOD}, "ends_at": NOON}
    starting = {"bury": {"where": FOOD}, "starts_at": NOON}
    assert [len(rules_of(rule).in_force("home", NOON)) for rule in (ending, starting)] == [0, 1]


def test_every_fault_of_a_file_is_named_at_once() -> None:
    payload = yaml.safe_load("""
        version: ""
        rules:
          - {name: a, pin: {item_id: x, position: 0}}
          - {name: a b, bury: {where: {department: [FOOD]}}}
          - {name: c, bury: {where: {}}, cap: {at_most: 1, per: colour}}
          - {name: d, boost: {factor: .inf, where: {price_min: 3, price_max: 2}}}
          - {name: e, deny: {where: {brand: [x]}}, cap: {at_most: 1, per: brand}}
          - {name: f, bury: {where: {brand: [x]}}, ends_at: 2026-01-01T00:00:00}
          - {name: g, pin: {item_id: x, position: 2}}
          - {name: g, pin: {item_id: y, position: 2}, surfaces: [home]}
    """)
    with pytest.raises(InvalidInput) as refused:
        rule_set(payload)
    for fault in (
        "version: String should have at least 1 character",
        "rule 1 (a) pin.position: Input should be greater than or equal to 1",
        "rule 2 (a b) name: String should match",
        "rule 3 (c) bury.where: names no items",
        "rule 3 (c) cap.per: Input should be 'department'",
        "rule 4 (d) boost.factor",
        "price_min 3 is above price_max 2",
        "rule 5 (e) as a whole: must have exactly one of pin, boost, bury, deny, cap, quota, diversity, "
        "explore, not deny and",
        "rule 6 (f) ends_at: Input should have timezone info",
        "2 rules are named 'g'",
        "'g' and 'g' at the same time and place pin to position 2",
    ):
        assert fault in str(refused.value)


def test_an_unknown_kind_of_rule_is_answered_with_those_there_are() -> None:
    said = (
        r"1 fault in the rules: rule 1 \(a\) bost: there is no such .*mean 'boost'\?\); there is name, .*, boost, bury"
    )
    with pytest.raises(InvalidInput, match=said):
        rule_set({"version": "1", "rules": [{"name": "a", "bost": {"factor": 2}}]})


def test_pins_to_one_place_are_fine_at_different_times_or_surfaces() -> None:
    one = {"name": "one", "pin": {"item_id": "x", "position": 1}, "surfaces": ["home"], "ends_at": NOON}
    for other in ({"surfaces": ["basket"]}, {"starts_at": NOON}):
        assert rule_set({"version": "1", "rules": [one, {"name": "two", "pin": one["pin"]} | other]})


def test_an_item_has_one_place() -> None:
    pins = [{"name": f"pin-{at}", "pin": {"item_id": "x", "position": at}} for at in (1, 2)]
    with pytest.raises(InvalidInput, match="'pin-1' and 'pin-2' at the same time and place pin item 'x'"):
        rule_set({"version": "1", "rules": pins})


def test_the_version_changes_with_the_content() -> None:
    one, other = (rules_of({"cap": {"at_most": most, "per": "brand"}}).rules_version for most in (1, 2))
    assert one.startswith("1-") and other.startswith("1-") and one != other


@pytest.mark.parametrize(
    ("text", "said"), [("a: [", "cannot be read as YAML"), ("- a", "must be a mapping"), ("version: 1", "rules: Field")]
)
def test_files_that_are_no_rules_are_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=r"rules\.yaml") as refused:
        read_rules(path)
    assert said in str(refused.value)
    with pytest.raises(MissingArtifact, match=r"no rules file .*unset TANDEM_RULES"):
        read_rules(tmp_path / "none.yaml")

"""Ids of lists: nobody but the servers of one shop makes one that counts."""

import pytest
from prometheus_client import CollectorRegistry

from contracts.events.interactions import Interaction
from contracts.events.schema import EventType
from serving.events.metrics import UNATTRIBUTED, InteractionMetrics
from serving.runtime.list_ids import ListIds
from tests.support.each import each

SHARED = "a secret that all servers have"
VARIANTS = ("stable", "two-words", "challenger")


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("secret", ["", SHARED])
def test_another_server_of_the_shop_knows_the_variant(secret: str, variant: str) -> None:
    made = ListIds(secret).new(variant)
    assert ListIds(secret).variant(made, VARIANTS) == variant
    assert ListIds(secret).variant(made, ("other",)) is None
    assert made.endswith(f"-{variant}")


def test_without_a_secret_an_id_of_any_form_is_taken_if_its_variant_serves_here() -> None:
    assert ListIds().variant("0123-stable", VARIANTS) == "stable"
    assert ListIds().variant("0123-invented", VARIANTS) is None


def test_an_id_that_no_server_gave_is_of_no_variant() -> None:
    ids = ListIds(SHARED)
    made, other = ids.new("stable"), ids.new("stable")
    digits, mac = made[:32], made[32:48]
    invented = [
        "x0-stable", "-stable", "stable", "", f"{'0' * 48}-stable", f"{digits}-stable", f"{mac}-stable",
        f"{digits}{mac}-challenger", f"{digits}{other[32:48]}-stable", f"0{digits[1:]}{mac[::-1]}-stable",
        f"{digits}{mac}0-stable", f"0{digits}{mac}-stable", f"{digits}{mac.upper()}x-stable",
        f"{made} ", f"{made}-stable",
        f"{'é' * 48}-stable", "\ud800-stable", f"{digits}{mac}\0-stable",
        ListIds("another secret of 32 letters or more").new("stable"), ListIds().new("stable"),
    ]  # fmt: skip
    assert [one for one in each(invented) if ids.variant(one, VARIANTS) is not None] == []


@pytest.mark.parametrize("secret", ["", SHARED])
def test_the_id_of_a_list_that_does_not_count_is_of_no_variant(secret: str) -> None:
    ids = ListIds(secret)
    forced = ids.new("stable", is_counted=False)
    assert ids.variant(forced, VARIANTS) is None
    if secret:  # without one a caller can take the mark off
        assert ids.variant(forced.removesuffix(".forced"), VARIANTS) is None


def test_invented_ids_and_ids_of_forced_lists_do_not_raise_a_click_rate() -> None:
    registry, ids = CollectorRegistry(), ListIds(SHARED)
    metrics = InteractionMetrics(registry, ids)
    named = [
        *(f"x{number}-stable" for number in range(300)),
        ids.new("stable", is_counted=False),
        ids.new("stable"),
        None,
    ]
    clicks = [
        Interaction(event_id="e", event_type=EventType.VIEW, user_id="u", item_id="i", request_id=one) for one in named
    ]
    metrics.accepted(clicks, VARIANTS)
    seen = {"event_type": "view"}
    assert registry.get_sample_value("tandem_followed_lists_total", seen | {"variant": "stable"}) == 1
    assert registry.get_sample_value("tandem_interactions_total", seen | {"variant": "stable"}) == 1
    assert registry.get_sample_value("tandem_interactions_total", seen | {"variant": UNATTRIBUTED}) == 302

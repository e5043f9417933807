"""The measures by hand, the sums over lists, what thresholds say, and the comment."""

from pathlib import Path
from typing import Any

import pytest

from contracts.api.answers import DegradedLevel
from contracts.api.replays import COLD, KNOWN, ReplayedItem, ReplayedList, ReplayHeader
from contracts.errors import InvalidInput, MissingArtifact
from monitoring.replay.comment import LATENCY, MARKER, TITLE_LENGTH, code, comment
from monitoring.replay.effect import EXAMPLES, Answers, Effect, Latency, effect_of
from monitoring.replay.similarity import overlap, rank_biased_overlap
from monitoring.replay.thresholds import Held, Thresholds, held, load_thresholds


def test_overlap_is_the_share_of_the_first_places_with_items_of_both() -> None:
    assert overlap("abcd", "acef", 4) == 0.5  # a and c
    assert overlap("abcd", "acef", 2) == 0.5  # a
    assert overlap("ab", "abcd", 10) == 0.5  # the longer list has four places
    assert overlap("", "", 10) == 1.0
    assert overlap("", "ab", 10) == 0.0


def test_rank_biased_overlap_by_hand() -> None:
    """ab and ba, p = 1/2: agreements 0/1 and 2/2, so 1 · (0 + 1/4), and what goes on below: 2/2 · 1/4."""
    assert rank_biased_overlap("ab", "ba", 0.5) == pytest.approx(0.25 + 0.25)
    # ba and ab c c.. of three places share 0, 2 and, with c and d, 2: 1/4 + 2/3 · 1/8, and 2/3 · 1/8.
    assert rank_biased_overlap("abc", "bad", 0.5) == pytest.approx(1 / 4 + 2 / 24 + 2 / 24)
    assert rank_biased_overlap("abcdef", "abcdef") == pytest.approx(1.0)
    assert rank_biased_overlap("abc", "def") == 0.0


def test_rank_biased_overlap_of_lists_of_two_lengths() -> None:
    """a and ba, p = 1/2: common 0, 1; 1/2 · 1/4 = 1/8, and below ((1 − 0)/2 + 0) · 1/4 = 1/8. In both orders."""
    assert rank_biased_overlap("a", "ba", 0.5) == rank_biased_overlap("ba", "a", 0.5) == pytest.approx(0.25)
    # a and ab: the short list is taken to go on as it began, so they agree fully.
    # 1 · (1/2 + 1/2 · 1/4) + 1 · 1 · (1/(1 · 2)) · 1/4 + (0/2 + 1/1) · 1/4 = 1
    assert rank_biased_overlap("a", "ab", 0.5) == pytest.approx(1.0)
    assert rank_biased_overlap("", "") == 1.0
    assert rank_biased_overlap("", "ab") == 0.0


def shown(number: int, items: str, user: int = 1, new: str = "", **fields: Any) -> ReplayedList:
    """One letter an item, three asked for."""
    listed = [ReplayedItem(item_id=item, title=f"the {item}", new=item in new) for item in items]
    return ReplayedList.model_validate(
        {
            "number": number,
            "user": user,
            "surface": "home",
            "segments": (KNOWN,),
            "asked": 3,
            "level": DegradedLevel.FULL,
            "items": tuple(listed),
            "seconds": number / 1000,
        }
        | fields
    )


def refused(number: int, why: str) -> ReplayedList:
    return ReplayedList(number=number, user=9, surface="home", segments=(COLD,), asked=3, refused=why)


def answers(*lists: ReplayedList, version: str = "before", **fields: object) -> Answers:
    header = {"bundle_version": version, "num_items": 10, "moment": 5.0, "requests_sha256": "same", "skipped": 1}
    return Answers(ReplayHeader.model_validate(header | fields), lists)


def example() -> Effect:
    """Users 1 (two lists, one changes), 2 (cold, becomes shorter) and a request that the challenger refuses."""
    cold: dict[str, Any] = {"user": 2, "surface": "mail", "segments": (COLD,), "level": DegradedLevel.POPULARITY}
    before = answers(shown(1, "abc", new="c"), shown(2, "abc"), shown(3, "xyz", **cold), shown(4, "abc"))
    after = answers(
        shown(1, "abc"), shown(2, "abd", new="ab"), shown(3, "", **cold), refused(4, "no such shelf"), version="after"
    )
    return effect_of(before, after, 3)


def test_an_effect_adds_up_what_changed() -> None:
    effect = example()
    assert (effect.requests, effect.compared, effect.refused, effect.skipped) == (5, 3, 1, 1)
    assert effect.reasons == {"challenger: no such shelf": 1}
    change = effect.change
    assert (change.lists, change.users, change.changed_lists, change.changed_users) == (3, 2, 2, 2)
    assert change.overlap == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert {name: one.lists for name, one in effect.by_surface.items()} == {"mail": 1, "home": 2}
    assert list(effect.by_segment) == [COLD, KNOWN]  # changed most first


def test_an_effect_says_what_each_side_is_like() -> None:
    effect = example()
    before, after = effect.champion, effect.challenger
    assert (before.empty, before.shortfalls, before.missing, before.shown_items) == (0, 0, 0, 6)
    assert (after.empty, after.shortfalls, after.missing, after.shown_items) == (1, 1, 3, 4)
    assert (before.new_places, before.places, before.coverage) == (1, 9, 0.6)
    assert (after.new_places, after.places, after.refused) == (2, 6, 1)
    assert before.degraded == 0  # a cold user gets what is popular
    assert before.levels == {"full": 2, "popularity": 1}


def test_a_degraded_list_of_a_known_user_counts() -> None:
    side = answers(shown(1, "abc", level=DegradedLevel.HISTORY))
    assert effect_of(side, side, 3).champion.degraded == 1


def test_examples_are_the_least_alike_and_each_change_is_there_once() -> None:
    before = answers(*(shown(number, "abc", user=number) for number in range(1, 30)))
    same_change = [shown(number, "xyz", user=number) for number in range(1, 15)]
    others = [shown(number, "ab" + "klmnopqrstuvwxy"[number - 15], user=number) for number in range(15, 30)]
    examples = effect_of(before, answers(*same_change, *others), 3).examples
    assert len(examples) == EXAMPLES
    assert examples[0].after == ("the x", "the y", "the z")
    assert [one.number for one in examples] == [1, *range(15, 24)]


def test_sides_that_cannot_be_compared_are_refused() -> None:
    one = answers(shown(1, "abc"))
    with pytest.raises(InvalidInput, match="answered different requests"):
        effect_of(one, answers(shown(1, "abc"), requests_sha256="other"), 3)
    with pytest.raises(InvalidInput, match="as of 5 and the challenger's of 6"):
        effect_of(one, answers(shown(1, "abc"), moment=6.0), 3)
    with pytest.raises(InvalidInput, match="has 1 lists, the challenger 0"):
        effect_of(one, answers(), 3)
    with pytest.raises(InvalidInput, match=r"None of the 1 requests was answered by both sides: .*no shelf"):
        effect_of(one, answers(refused(1, "no shelf")), 3)


def verdicts(effect: Effect, **limits: float) -> dict[str, Held]:
    asked = Thresholds.model_validate(limits)
    return {one.name: one for one in held(effect, asked, Latency(0.001, 0.002), Latency(0.001, 0.003))}


def test_thresholds_name_the_value_and_what_would_have_passed() -> None:
    found = verdicts(example(), min_lists=3, min_segment_lists=1, max_p95_ratio=1.25, min_new_ratio=0.5)
    broken = {name: one.sentence() for name, one in found.items() if not one.holds}
    assert broken == {
        "rise of the share of refused requests": (
            "rise of the share of refused requests is 0.25, at most 0.01 passes"  # 1 of 4 requests
        ),
        "rise of the share of empty lists": "rise of the share of empty lists is 0.333, at most 0 passes",
        "rise of the share of lists shorter than asked for": (
            "rise of the share of lists shorter than asked for is 0.333, at most 0.01 passes"
        ),
        "mean overlap@3 of mail": "mean overlap@3 of mail is 0, at least 0.05 passes",
        f"mean overlap@3 of {COLD}": f"mean overlap@3 of {COLD} is 0, at least 0.05 passes",
        "p95 of the time a list, by the champion's": (
            "p95 of the time a list, by the champion's is 1.5, at most 1.25 passes"
        ),
    }
    assert found["distinct items shown, by the champion's"].value == pytest.approx(4 / 6)
    assert found["exposure of new items, by the champion's"].value == pytest.approx((2 / 6) / (1 / 9))


def test_too_few_lists_say_nothing_and_small_segments_are_not_asked() -> None:
    found = verdicts(example())
    assert not found["lists compared"].holds
    assert "mean overlap@3 of mail" not in found
    assert not any(name.startswith("p95") for name in found)


def test_where_the_champion_shows_nothing_a_ratio_is_no_loss() -> None:
    side = answers(shown(1, ""))
    found = verdicts(effect_of(side, side, 3))
    assert found["distinct items shown, by the champion's"].value == 1.0


def test_a_limit_on_times_needs_times_of_both() -> None:
    with pytest.raises(InvalidInput, match="max_p95_ratio needs times of both sides"):
        held(example(), Thresholds(max_p95_ratio=2), None, Latency(0.1, 0.2))


def test_times_are_of_the_lists_that_were_made() -> None:
    """1, 2 and 3 ms: the median 2, p95 at place 1.9 of 0 to 2."""
    latency = answers(shown(1, "a"), shown(2, "a"), shown(3, "a"), refused(4, "no")).latency()
    assert latency is not None
    assert (latency.p50, latency.p95) == pytest.approx((0.002, 0.0029))
    assert answers(refused(1, "no")).latency() is None


def test_a_file_of_thresholds_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "replay.yaml"
    assert load_thresholds(None) == Thresholds()
    path.write_text("min_overlap: 0.5")
    assert load_thresholds(path).min_overlap == 0.5
    path.write_text("")
    assert load_thresholds(path) == Thresholds()
    path.write_text("{min_overlaps: 0.5, min_rbo: 2}")
    with pytest.raises(InvalidInput, match=r"min_rbo: .*min_overlaps: .*there is min_lists, "):
        load_thresholds(path)
    path.write_text("{")
    with pytest.raises(InvalidInput, match="cannot be read as YAML"):
        load_thresholds(path)
    with pytest.raises(MissingArtifact, match="no file of thresholds"):
        load_thresholds(tmp_path / "none.yaml")


def test_the_comment_is_found_by_its_first_line_and_says_everything() -> None:
    effect = example()
    text = comment(effect, list(verdicts(effect).values()), Latency(0.001, 0.002), None)
    assert text.splitlines()[0] == MARKER
    assert "`before` → `after`" in text
    assert "- rise of the share of empty lists is 0.333, at most 0 passes" in text
    assert "2 of 2 users (100%) get another list, 2 of 3 lists (67%) change." in text
    assert "Of 5 requests 1 were refused by a side and 1 were for later pages" in text
    assert "- 1 × `challenger: no such shelf`" in text
    assert f"{LATENCY}: p50 1.0 ms, p95 2.0 ms → not measured" in text
    assert "| 2 | `the b` | = |\n| 3 | `the c` | `the d` |" in text
    assert "| 1 | `the x` | – |" in text


def test_an_effect_of_nothing_needs_no_examples() -> None:
    side = answers(*(shown(number, "abc", user=number) for number in range(1, 30)))
    effect = effect_of(side, side, 3)
    text = comment(effect, held(effect, Thresholds(), None, None), None, None)
    assert "thresholds hold.**" in text
    assert "<details>" not in text


def test_segments_beyond_the_table_are_counted() -> None:
    side = answers(shown(1, "abc", segments=tuple(f"s={at}" for at in range(14))))
    effect = effect_of(side, side, 3)
    assert "2 more changed as little or less" in comment(effect, [], None, None)


def test_a_title_can_neither_end_a_cell_nor_a_code_span() -> None:
    assert code("a|b `c`\n@all <b>") == "`a¦b 'c' @all <b>`"
    assert len(code("x" * 100)) == TITLE_LENGTH + 2
    assert code("  ") == "–"

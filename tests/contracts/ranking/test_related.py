"""What goes with an item, by hand: four items in a chain, and one that nobody bought."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contracts.ranking.inputs import Catalogue
from contracts.ranking.neighbours import Neighbours
from contracts.ranking.related import Nearness, Related, Summing, content_nearness, load_related

EARLIER = ("rows", "near", "weights", "num_items", "kinds", "least")
LEAST = {Nearness.BASKETS: 0.25, Nearness.CONTENT: 0.6}


def related() -> Related:
    """Rows 1, 2, 3 and 5 of six: 1 goes with 2 and 3, 2 with 1, 3 with 2; 5 with nothing."""
    near = np.array([[0, 0], [2, 3], [1, 0], [2, 0], [0, 0]], np.int32)
    weights = np.array([[0, 0], [0.5, 0.2], [0.4, 0], [0.3, 0], [0, 0]], np.float32)
    return Related(np.array([1, 2, 3, 5]), near, weights, 6, LEAST, np.ones(5, np.float32))


def bestseller(exponent: float) -> Related:
    """Rows 0 and 1 both go with 2, a bestseller, and less with 3, which is rare."""
    near = np.array([[0, 0], [3, 4], [3, 4], [0, 0], [0, 0]], np.int32)
    weights = np.array([[0, 0], [0.4, 0.3], [0.2, 0.2], [0, 0], [0, 0]], np.float32)
    popularity = np.array([1, 16, 9, 64, 4], np.float32)
    return Related(np.arange(4), near, weights, 4, LEAST, popularity, Summing(exponent))


def catalogue() -> Catalogue:
    """Titles at 0, 0, 60 and 90 degrees, then two without; the first three share a category, the last has none."""
    text = np.array([[1, 0], [1, 0], [0.5, 0.75**0.5], [0, 1], [0, 0], [0, 0]], np.float32)
    codes = {"category": np.array([1, 1, 1, 2, 2, 0], np.int32)}
    return Catalogue(codes, {"category": 3}, np.zeros((6, 1), np.float32), text)


def test_the_nearest_of_one_and_of_several_are_summed_and_never_the_asked_ones() -> None:
    rows, nearness = related().nearest(np.array([1]), 5)
    assert rows.tolist() == [2, 3]
    assert nearness.tolist() == pytest.approx([0.5, 0.2])
    rows, nearness = related().nearest(np.array([1, 3]), 5)
    assert rows.tolist() == [2]  # .5 + .3
    assert nearness.tolist() == pytest.approx([0.8])
    assert related().nearest(np.array([1]), 1)[0].tolist() == [2]


def test_nearness_of_given_rows_is_nothing_where_nothing_is_known() -> None:
    near = related().everything_near(np.array([1]))  # .5 to row 2, .2 to row 3
    assert near.of(np.array([3, 0, 2])).tolist() == pytest.approx([0.2, 0, 0.5])
    assert not related().everything_near(np.array([5])).of(np.array([3, 2])).any()


def test_among_several_asked_each_nearness_counts_by_popularity() -> None:
    rows, nearness = bestseller(0.0).nearest(np.array([0, 1]), 5)
    assert rows.tolist() == [2, 3]
    assert nearness.tolist() == pytest.approx([0.6, 0.5])  # .4 + .2, .3 + .2
    rows, nearness = bestseller(0.5).nearest(np.array([0, 1]), 5)
    assert rows.tolist() == [3, 2]
    # Roots of popularity are 4, 3, 8 and 2: .3 * 4 / 2 + .2 * 3 / 2, and .4 * 4 / 8 + .2 * 3 / 8.
    assert nearness.tolist() == pytest.approx([0.9, 0.275])
    only = np.array([True, True, True, False])
    assert bestseller(0.5).nearest(np.array([0, 1]), 5, only)[1].tolist() == pytest.approx([0.275])


def test_the_nearest_of_one_known_item_stay_as_they_are() -> None:
    for asked in ([0], [0, 9], [8, 0, 9]):
        plain, weighed = (bestseller(one).nearest(np.array(asked), 5) for one in (0.0, 0.5))
        assert weighed[0].tolist() == plain[0].tolist() == [2, 3]
        assert weighed[1].tolist() == plain[1].tolist()
    weights = bestseller(0.5).weights.copy()
    one = bestseller(0.5)
    one.nearest(np.array([0, 1]), 5)
    assert one.weights.tolist() == weights.tolist()  # an answer does not change what the next one reads


def weights_between_items() -> Neighbours:
    """Rows 0, 1, 3 and 4 of six: 1 weighs .6 for 3 and .3 for 4, 3 weighs .4 for 4, 4 nothing."""
    near = np.array([[0, 0], [0, 0], [3, 4], [4, 0], [0, 0]], np.int32)
    weights = np.array([[0, 0], [0, 0], [0.6, 0.3], [0.4, 0], [0, 0]], np.float32)
    return Neighbours(np.array([0, 1, 3, 4]), near, weights, 6)


def test_item_to_item_weights_join_as_far_as_the_bundle_says() -> None:
    joined = replace(related(), summing=Summing(0.0, 0.5, 1.0))
    rows, nearness = joined.nearest(np.array([1]), 5, neighbours=weights_between_items())
    # Baskets say .5 for 2 and .2 for 3. Weights count up to .5 times the highest of these: .25 for 3, .125 for 4.
    assert rows.tolist() == [2, 3, 4]
    assert nearness.tolist() == pytest.approx([0.5 / 1.5, 0.45 / 1.5, 0.125 / 1.5])
    rows, nearness = joined.nearest(np.array([1, 3]), 5, neighbours=weights_between_items())
    # Baskets say .8 for 2. Weights say .3 + .4 for 4, and count as .8.
    assert rows.tolist() == [2, 4] and nearness.tolist() == pytest.approx([0.4, 0.4])
    only = np.array([True, True, False, True, True, True])
    assert joined.nearest(np.array([1]), 5, only, weights_between_items())[0].tolist() == [3, 4]


def test_weights_that_say_nothing_change_nothing() -> None:
    joined, plain = replace(related(), summing=Summing(0.0, 0.5, 1.0)), related()
    silent = replace(weights_between_items(), weights=np.zeros((5, 2), np.float32))
    for changed in (joined.nearest(np.array([1]), 5), joined.nearest(np.array([1]), 5, neighbours=silent)):
        assert changed[1].tolist() == plain.nearest(np.array([1]), 5)[1].tolist()
    assert plain.nearest(np.array([1]), 5, neighbours=weights_between_items())[0].tolist() == [2, 3]
    assert joined.nearest(np.array([0]), 5, neighbours=weights_between_items())[0].tolist() == []  # in no basket


def test_what_may_not_be_shown_and_what_is_not_known_is_left_out() -> None:
    allowed = np.array([True, True, False, True, True, True])
    assert related().nearest(np.array([1]), 5, allowed)[0].tolist() == [3]
    assert related().nearest(np.array([0, 9]), 5)[0].tolist() == []  # no basket, and later than the counts
    assert related().known(np.array([0, 1, 5, 9])).tolist() == [False, True, True, False]


def test_two_items_are_as_near_as_the_weaker_direction_says() -> None:
    assert related().mutual(1, np.array([2, 3, 5, 0])).tolist() == pytest.approx([0.4, 0, 0, 0])  # 3 does not name 1
    assert related().mutual(0, np.array([1])).tolist() == [0]


def test_similar_is_said_beyond_the_threshold_alone() -> None:
    assert related().most_similar(1, np.array([3, 2]), catalogue()) == 1
    assert related().most_similar(3, np.array([1, 2]), catalogue()) is None
    assert related().most_similar(1, np.zeros(0, np.int64), catalogue()) is None


def test_an_item_that_is_in_no_basket_is_similar_by_its_words() -> None:
    assert related().most_similar(0, np.array([3, 1]), catalogue()) == 1  # the same title and category
    assert related().most_similar(4, np.array([0, 1]), catalogue()) is None
    assert related().most_similar(0, np.array([0]), catalogue()) is None  # itself


def test_nearness_by_content_is_the_mean_of_what_there_is() -> None:
    assert content_nearness(catalogue(), 0).tolist() == pytest.approx([1, 1, 0.75, 0, 0, 0])  # (.5 + 1) / 2
    assert content_nearness(catalogue(), 4).tolist() == pytest.approx([0, 0, 0, 1, 1, 0])  # no title: category alone
    assert content_nearness(catalogue(), 5).tolist() == [0] * 6  # nothing is known
    assert content_nearness(catalogue(), 5, np.array([1, 2])).tolist() == [0, 0]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    related().save(tmp_path / "related.npz")
    read = load_related(tmp_path / "related.npz")
    assert read.least == LEAST and read.num_items == 6
    assert read.near.tolist() == related().near.tolist() and read.rows.tolist() == [1, 2, 3, 5]
    replace(bestseller(0.5), summing=Summing(0.5, 0.2, 1.0)).save(tmp_path / "weighed.npz")
    read = load_related(tmp_path / "weighed.npz")
    assert read.summing == Summing(0.5, 0.2, 1.0) and read.popularity.tolist() == [1, 16, 9, 64, 4]
    assert read.nearest(np.array([0, 1]), 5)[0].tolist() == [3, 2]


def test_a_file_of_an_earlier_release_is_summed_plainly(tmp_path: Path) -> None:
    bestseller(0.5).save(tmp_path / "related.npz")
    with np.load(tmp_path / "related.npz") as arrays:
        earlier = {name: arrays[name] for name in arrays.files if name in EARLIER}
    np.savez_compressed(tmp_path / "related.npz", **earlier)
    read = load_related(tmp_path / "related.npz")
    assert read.summing == Summing()
    assert read.nearest(np.array([0, 1]), 5)[1].tolist() == pytest.approx([0.6, 0.5])
    read.save(tmp_path / "again.npz")
    assert load_related(tmp_path / "again.npz").nearest(np.array([0, 1]), 5)[0].tolist() == [2, 3]


def test_a_file_without_a_threshold_is_refused(tmp_path: Path) -> None:
    replace(related(), least={Nearness.BASKETS: 0.1}).save(tmp_path / "related.npz")
    with pytest.raises(ValueError, match="content has no threshold, there is one by baskets"):
        load_related(tmp_path / "related.npz")

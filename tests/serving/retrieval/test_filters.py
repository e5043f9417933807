"""Filters and the planner: by hand on a dozen items, and over thousands with every index."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import faiss
import numpy as np
import pytest

from contracts.arrays import Floats
from contracts.errors import InvalidInput
from contracts.features.vocabulary import Vocabulary
from contracts.ranking.candidates import PRICE_COLUMN, Mask, first_allowed, item_side
from contracts.rules.selection import Filters, Selection
from serving.retrieval import filters
from serving.retrieval.search import Way, best, exact_nearest, nearest, searched, way_to_search
from tests.support.lists.catalogue import IDS, items, rows, vocabularies

NOTHING_BOUGHT = np.zeros(0, np.int64)


def passing(without: filters.Exclusions | None = None, out_of_stock: tuple[str, ...] = (), **given: Any) -> list[str]:
    mask = filters.filtered(
        Filters.model_validate(given),
        items(out_of_stock=out_of_stock),
        vocabularies(),
        np.array(rows("pear", "soap")),
        without or filters.Exclusions(),
    ).mask
    return list(IDS) if mask is None else [IDS[row] for row in np.flatnonzero(mask)]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"department": ["FOOD"]}, ["apple", "pear", "plum", "bread", "bun"]),
        ({"department": "food"}, ["apple", "pear", "plum", "bread", "bun"]),
        ({"department": ["HOME", "TOYS"], "price_max": 7}, ["soap", "brush", "bulb"]),
        ({"category": ["LIGHT"], "brand": ["Pure"]}, ["lamp", "bulb"]),
        ({"price_min": 4, "price_max": 6}, ["bread", "soap", "bulb"]),
        ({"price_max": 1}, ["apple"]),  # the bun has no known price
        ({"only": ["ball", "bun", "gone"]}, ["bun", "ball"]),
        ({"only": ["gone"]}, []),
        ({"exclude": [name for name in IDS if name != "lamp"]}, ["lamp"]),
        ({"include_seen": False, "department": "FOOD"}, ["apple", "plum", "bread", "bun"]),
        ({}, list(IDS)),
    ],
)
def test_each_filter_keeps_what_it_says(given: dict[str, Any], expected: list[str]) -> None:
    assert passing(**given) == expected


def test_what_is_out_of_stock_is_shown_on_request_only() -> None:
    assert passing(out_of_stock=("apple", "ball"), price_max=2) == ["pear"]
    assert passing(out_of_stock=("apple", "ball"), price_max=2, include_out_of_stock=True) == ["apple", "pear"]


def test_earlier_pages_context_and_denying_rules_are_left_out() -> None:
    without = filters.Exclusions(
        np.array(rows("apple")), np.array(rows("pear")), {"recall": np.array([name == "plum" for name in IDS])}
    )
    assert passing(without, category="FRUIT") == []
    asked = filters.filtered(Filters(price_min=2), items(), vocabularies(), NOTHING_BOUGHT, without)
    reasons = {name: asked.kept_out_by(row) for row, name in enumerate(IDS[:4])}
    assert reasons == {"apple": ["price", "earlier_page"], "pear": ["context"], "plum": ["rule recall"], "bread": []}


def test_a_name_that_the_catalogue_lacks_is_refused_with_what_is_near() -> None:
    with pytest.raises(InvalidInput, match=r"no category 'Fruits' \(did you mean 'FRUIT'\?\); there is 'BAK"):
        passing(category=["Fruits"])
    with pytest.raises(InvalidInput, match=r"no department 'qqq'; there is 'FOOD', 'HOME', 'TOYS'\.$"):
        passing(department="qqq")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"price_min": 3, "price_max": 2}, "price_min 3 is above price_max 2"),
        ({"price_min": float("nan")}, "finite"),
        ({"price_max": -1}, "greater than or equal to 0"),
        ({"category": ["x"] * 51}, "at most 50"),
        ({"exclude": ["x"] * 1001}, "at most 1000"),
        ({"brand": [""]}, "at least 1 character"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_filters_that_mean_nothing_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Filters.model_validate(given)


def test_prices_are_the_catalogues_and_else_what_was_paid() -> None:
    side = items()
    statistics = side.catalogue.statistics.copy()
    statistics[:3, PRICE_COLUMN] = (9, 8, 0)
    asked = np.full(len(IDS), np.nan, np.float32)
    asked[0] = 5
    catalogue = replace(side.catalogue, statistics=statistics)
    with_prices = item_side(catalogue, side.embeddings, 3, asked).prices[:3]
    without = item_side(catalogue, side.embeddings, 3).prices[:3]
    np.testing.assert_array_equal(with_prices, np.array([5, 8, np.nan], np.float32))
    np.testing.assert_array_equal(without, np.array([9, 8, np.nan], np.float32))


def test_sources_go_on_to_their_next_best() -> None:
    popular = np.arange(100)
    odd = popular % 2 == 1
    assert first_allowed(popular, odd, 3).tolist() == [1, 3, 5]
    rare = popular >= 98
    assert first_allowed(popular, rare, 3).tolist() == [98, 99]
    assert first_allowed(popular, None, 3).tolist() == [0, 1, 2]


def test_all_may_be_shown_is_no_mask() -> None:
    assert filters.filtered(Filters(), items(), vocabularies(), NOTHING_BOUGHT, filters.Exclusions()).mask is None


def test_each_filter_has_its_name() -> None:
    without = filters.Exclusions(np.array(rows("apple")), np.array(rows("pear")))
    given = Filters(department=["FOOD"], price_min=3, only=["soap"], exclude=["soap"], include_seen=False)
    bought = np.array(rows("soap"))
    side = items(out_of_stock=("soap",))
    filtered = filters.filtered(given, side, vocabularies(), bought, without)
    found = {name: filtered.kept_out_by(rows(name)[0]) for name in ("soap", "apple", "pear")}
    assert found == {
        "soap": ["out_of_stock", "department", "exclude", "seen"],
        "apple": ["price", "only", "earlier_page"],
        "pear": ["price", "only", "context"],
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"price_min": 6, "price_max": 6}, ["soap"]),  # both ends included
        ({"price_min": 7}, ["brush", "lamp", "ball"]),
        ({"price_max": 0}, []),
        ({"brand": ["Kick", "Mill"]}, ["bread", "bun", "ball"]),
    ],
)
def test_ends_of_a_price_range_and_several_terms(given: dict[str, Any], expected: list[str]) -> None:
    assert passing(**given) == expected


def test_ids_that_the_catalogue_lacks_have_no_row() -> None:
    found = filters.known_rows(["gone", "ball", "apple"], vocabularies())
    assert found.tolist() == rows("ball", "apple")
    assert found.dtype == np.int64


def test_a_lenient_selection_fits_nothing_where_the_catalogue_lacks_the_term() -> None:
    for terms, expected in ((["GONE"], []), (["GONE", "toys"], ["ball"])):
        (found,) = filters.selecting(Selection(department=terms), items(), vocabularies(), lenient=True)
        assert (found[0], [IDS[row] for row in np.flatnonzero(found[1])]) == ("department", expected)
    with pytest.raises(InvalidInput) as refused:
        list(filters.selecting(Selection(department=["TOYS", "Hom"]), items(), vocabularies()))
    assert str(refused.value) == "There is no department 'Hom' (did you mean 'HOME'?); there is 'FOOD', 'HOME', 'TOYS'."


def test_a_term_that_is_near_is_asked_for_and_the_first_three_are_named() -> None:
    for term, question in (("bark", r" \(did you mean 'BAKERY'\?\)"), ("zzz", "")):
        with pytest.raises(
            InvalidInput, match=rf"no category '{term}'{question}; there is 'BAKERY', 'CLEANING', 'FRUIT' and 2 more\.$"
        ):
            passing(category=[term])


def test_terms_are_near_from_half_alike_on_and_three_of_them_are_named() -> None:
    # BAK of BAKXXX and BAKERY: twice 3 letters of 12.
    with pytest.raises(InvalidInput, match=r"did you mean 'BAKERY'\?"):
        passing(category=["bakxxx"])
    teas = {**vocabularies(), "category": Vocabulary(["TEA 1", "TEA 2", "TEA 3", "TEA 4"])}
    with pytest.raises(InvalidInput) as refused:
        list(filters.selecting(Selection(category=["tea"]), items(), teas))
    asked = "(did you mean 'TEA 4', 'TEA 3' or 'TEA 2'?); there is 'TEA 1', 'TEA 2', 'TEA 3' and 1 more."
    assert str(refused.value) == f"There is no category 'tea' {asked}"


def test_a_highest_price_alone_keeps_what_costs_next_to_nothing() -> None:
    side = replace(items(), prices=np.full(len(IDS), 0.01, np.float32))
    ((name, kept),) = filters.selecting(Selection(price_max=1), side, vocabularies())
    assert name == "price"
    assert kept.all()


# --- the planner, over every index

SIZE, DIM = 4000, 16
Build = Callable[[Floats], faiss.Index]


def unit(count: int, seed: int) -> Floats:
    made = np.random.default_rng(seed).standard_normal((count, DIM), dtype=np.float32)
    vectors: Floats = made / np.linalg.norm(made, axis=1, keepdims=True)
    return vectors


def built(factory: str, probes: int | None = None) -> faiss.Index:
    index = faiss.index_factory(DIM, factory, faiss.METRIC_INNER_PRODUCT)
    index.train(unit(SIZE, 0))
    index.add(unit(SIZE, 0))
    if probes:
        index.nprobe = probes
    return index


@pytest.fixture(
    scope="module",
    params=[("Flat", None), ("IVF32,Flat", 32), ("IVF32,Flat", 1), ("IVF16,SQ8", 4), ("HNSW8", None)],
    ids=lambda given: f"{given[0]}-{given[1]}",
)
def index(request: pytest.FixtureRequest) -> faiss.Index:
    return built(*request.param)


@pytest.fixture(autouse=True)
def _small_catalogues_use_the_selector_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.retrieval.search.GATHER_ROWS", 100)


def masks() -> list[Mask]:
    random = np.random.default_rng(5)
    return [random.random(SIZE) < share for share in (0.0, 0.0005, 0.01, 0.2, 0.7, 1.0)]


@pytest.mark.parametrize("mask", masks(), ids=lambda mask: f"{mask.mean():.4f}")
@pytest.mark.parametrize("k", [1, 50, 1000])
def test_always_k_or_all_that_are_allowed_and_never_another(index: faiss.Index, mask: Mask, k: int) -> None:
    for query in unit(10, 1):
        found, scores = nearest(index, unit(SIZE, 0), query, k, mask)
        assert len(found) == len(scores) == len(set(found.tolist())) == min(k, np.count_nonzero(mask))
        assert mask[found].all()
        assert np.all(np.diff(scores) <= 0)


def test_an_unfiltered_search_is_the_indexs_own_and_full(index: faiss.Index) -> None:
    for query in unit(5, 1):
        found, _ = nearest(index, unit(SIZE, 0), query, 1000)
        assert len(set(found.tolist())) == 1000


@pytest.mark.parametrize("mask", [None, *masks()], ids=lambda mask: "all" if mask is None else f"{mask.mean():.4f}")
@pytest.mark.parametrize("factory", [("Flat", None), ("IVF32,Flat", 32)])
def test_indexes_that_miss_nothing_agree_with_brute_force(factory: tuple[str, int | None], mask: Mask | None) -> None:
    index, embeddings = built(*factory), unit(SIZE, 0)
    for query in unit(5, 2):
        exact, exact_scores = exact_nearest(embeddings, query, 40, mask)
        found, scores = nearest(index, embeddings, query, 40, mask)
        np.testing.assert_allclose(scores, exact_scores, atol=1e-5)
        assert set(found) == set(exact)


def test_items_that_came_after_the_index_are_found() -> None:
    embeddings = np.concatenate([unit(SIZE, 0), unit(1, 9)])
    for mask in (None, np.ones(SIZE + 1, np.bool_)):
        found, scores = nearest(built("Flat"), embeddings, embeddings[-1], 3, mask)
        assert found[0] == SIZE
        assert scores[0] == pytest.approx(1.0)


def test_brute_force_is_in_order_by_hand() -> None:
    """Item i lies at 10·i degrees; from 25 degrees plum (20) and bread (30) are equally far, then pear and bun."""
    angle = np.deg2rad(25)
    found, _ = exact_nearest(items().embeddings, np.array([np.cos(angle), np.sin(angle)], np.float32), 2)
    assert set(found) == set(rows("plum", "bread"))
    food = np.array([name in ("apple", "ball") for name in IDS])
    found, _ = exact_nearest(items().embeddings, np.array([1, 0], np.float32), 5, food)
    assert found.tolist() == rows("apple", "ball")


def test_the_way_is_chosen_by_how_many_rows_are_left() -> None:
    flat, inverted, graph = built("Flat"), built("IVF32,Flat"), built("HNSW8")
    assert [way_to_search(index, None, 10) for index in (flat, inverted, graph)] == [Way.INDEX] * 3
    assert [way_to_search(index, 90, 10) for index in (flat, inverted, graph)] == [Way.EXACT] * 3
    assert [way_to_search(index, 2000, 10) for index in (flat, inverted, graph)] == [
        Way.SELECTOR,
        Way.SELECTOR,
        Way.EXACT,
    ]
    assert way_to_search(inverted, 500, 1000) is Way.EXACT  # all of them are wanted


def test_recall_of_an_inverted_file_does_not_fall_with_the_filter() -> None:
    index, embeddings = built("IVF32,Flat", 8), unit(SIZE, 0)
    half = np.random.default_rng(4).random(SIZE) < 0.3

    def recall(mask: Mask | None) -> float:
        pairs = [
            (exact_nearest(embeddings, q, 20, mask)[0], nearest(index, embeddings, q, 20, mask)[0]) for q in unit(50, 8)
        ]
        return float(np.mean([len(np.intersect1d(exact, found)) / 20 for exact, found in pairs]))

    assert recall(half) >= recall(None)


def test_the_way_changes_at_the_least_number_that_an_index_is_quicker_for() -> None:
    flat, inverted = built("Flat"), built("IVF32,Flat")
    assert [way_to_search(flat, count, 10) for count in (400, 401)] == [Way.EXACT, Way.SELECTOR]  # a tenth of 4,000
    assert [way_to_search(inverted, count, 10) for count in (100, 101)] == [Way.EXACT, Way.SELECTOR]
    assert [way_to_search(flat, count, 500) for count in (500, 501)] == [Way.EXACT, Way.SELECTOR]
    assert [way_to_search(inverted, count, 500) for count in (500, 501)] == [Way.EXACT, Way.SELECTOR]


def test_an_index_that_knows_no_bitmap_is_not_asked_where_rows_are_filtered() -> None:
    no_index: Any = object()
    found, _ = nearest(no_index, np.eye(3, dtype=np.float32), np.arange(3, dtype=np.float32), 2, np.arange(3) < 2)
    assert found.tolist() == [1, 0]


@pytest.mark.parametrize("k", [0, 1, 2, 3, 4, 9])
def test_the_best_are_in_order_with_ties_by_row(k: int) -> None:
    found, scores = best(np.array([8, 3, 5, 1]), np.array([0.5, 2.0, 0.5, 0.5]), k)
    # Any of the equal three may be left out, and those that stay are in order.
    assert scores.tolist() == [2.0, 0.5, 0.5, 0.5][:k]
    assert found[:1].tolist() == [3][:k]
    assert found[1:].tolist() == sorted(found[1:].tolist())
    if k >= 4:
        assert found.tolist() == [3, 1, 5, 8]


def test_brute_force_finds_the_same_among_few_and_many_allowed_rows() -> None:
    embeddings = np.eye(10, dtype=np.float32)
    query = np.arange(10, dtype=np.float32)
    for allowed, expected in ((range(2), [1, 0]), (range(3), [2, 1]), (range(9), [8, 7])):
        mask = np.isin(np.arange(10), list(allowed))
        found, scores = exact_nearest(embeddings, query, 2, mask)
        assert (found.tolist(), scores.tolist()) == (expected, expected)
    found, scores = exact_nearest(embeddings, query, 2)
    assert (found.tolist(), scores.tolist()) == ([9, 8], [9, 8])


def test_what_the_index_did_not_find_is_left_out_with_its_score() -> None:
    query = unit(1, 3)[0]
    mask = np.zeros(SIZE, np.bool_)
    mask[[7, 9, 4]] = True
    found, scores = searched(built("Flat"), query, 5, mask)
    assert sorted(found.tolist()) == [4, 7, 9]
    np.testing.assert_allclose(scores, unit(SIZE, 0)[found] @ query, atol=1e-5)


def test_later_items_are_found_in_order_and_only_where_they_are_allowed() -> None:
    embeddings = np.concatenate([unit(SIZE, 0), unit(3, 9)])
    query = embeddings[SIZE + 1]
    for index in (built("Flat"), built("IVF32,Flat", 32)):
        mask = np.ones(SIZE + 3, np.bool_)
        mask[SIZE] = False
        for allowed in (None, mask):
            found, scores = nearest(index, embeddings, query, 50, allowed)
            expected, expected_scores = exact_nearest(embeddings, query, 50, allowed)
            assert found.tolist() == expected.tolist()
            np.testing.assert_allclose(scores, expected_scores, atol=1e-5)
        assert SIZE + 1 in found and SIZE not in found
        assert len(nearest(index, embeddings, query, SIZE + 9)[0]) == SIZE + 3


def test_an_inverted_file_probes_as_many_more_lists_as_fewer_rows_are_allowed() -> None:
    """One list of 32 without a filter; a quarter of the rows: four lists, which all of their allowed rows come from."""
    index, embeddings = built("IVF32,Flat", 1), unit(SIZE, 0)
    mask = np.arange(SIZE) % 4 == 0
    for query in unit(5, 6):
        _, lists = index.quantizer.search(query[np.newaxis], 4)
        _, own = index.quantizer.search(embeddings, 1)
        expected = np.flatnonzero(mask & np.isin(own[:, 0], lists[0]))
        found, _ = searched(index, query, SIZE, mask)
        assert sorted(found.tolist()) == expected.tolist()


def test_an_index_whose_lists_hold_too_little_is_left_for_brute_force() -> None:
    index, embeddings = built("IVF32,Flat", 1), unit(SIZE, 0)
    query = unit(1, 6)[0]
    for k in (1000, SIZE, SIZE + 5):
        found, _ = nearest(index, embeddings, query, k)
        assert found.tolist() == exact_nearest(embeddings, query, k)[0].tolist()


def test_a_catalogue_without_brands_says_so() -> None:
    with pytest.raises(InvalidInput, match="There is no brand 'x': no item of the catalogue has a brand"):
        filters.filtered(
            Filters(brand=["x"]),
            items(),
            vocabularies() | {"brand": Vocabulary([])},
            NOTHING_BOUGHT,
            filters.Exclusions(),
        )


def test_a_term_that_is_part_of_others_names_them_where_none_is_spelled_like_it() -> None:
    assert filters.near_terms("3", ["0001", "0013", "0003", "000003"]) == ["0013", "0003", "000003"]
    assert filters.near_terms("oil", ["Olive OIL, extra virgin", "Soap"]) == ["Olive OIL, extra virgin"]
    assert filters.near_terms("", ["a"]) == []
    assert filters.near_terms("soap", ["Soap", "Soap and more"]) == ["Soap"]

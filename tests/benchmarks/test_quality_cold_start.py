"""New users and new items: what the shop must not know of them, and the tables, on the trained slice."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality.cold_start.__main__ import item_table, user_tables
from benchmarks.quality.cold_start.new_items import CHANCE, TOWERS, new_item_lists
from benchmarks.quality.cold_start.shop import Shop, opened
from benchmarks.quality.cold_start.visitors import POPULARITY, SEGMENT, Counter, session_rows, visitors
from contracts.errors import InvalidInput
from contracts.features import encoding, names
from serving.bundles.bundle import LoadedBundle, load_bundle
from training.retrieval.embeddings import Embeddings
from training.settings import Settings
from training.workspace import Workspace

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def shop(trained: Workspace) -> Shop:
    return Shop(trained)


@pytest.fixture(scope="module")
def bundle(trained: Workspace) -> LoadedBundle:
    return load_bundle(trained.bundles / "current")


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")[1:-1]]


def test_the_shop_knows_nothing_of_newcomers_and_nothing_of_the_window(shop: Shop) -> None:
    assert len(shop.newcomers) > 10
    positives = shop.positives()
    users = positives.queries[encoding.USER][positives.query_rows]
    assert not np.isin(users, shop.vocabularies[names.USER_ID].encode(shop.newcomers)).any()
    assert positives.seconds.max() < shop.start
    assert {shop.now.user_ids[row] for row in shop.known}.isdisjoint(shop.newcomers)
    assert shop.timeline.data_end == shop.start


def test_a_session_is_the_latest_hour_of_events_before_the_window(shop: Shop) -> None:
    people = visitors(shop)
    assert len(people) > 10
    for one in people:
        assert one.profile.keys() <= set(names.USER_PROFILE)
        assert one.profile
        moments = [event.seconds for event in one.session]
        assert moments[0] - moments[-1] <= 3600
        assert moments == sorted(moments, reverse=True)
        assert moments[0] < shop.start
        assert len(one.truth)


def test_each_way_of_asking_is_answered_from_what_it_tells(shop: Shop, bundle: LoadedBundle) -> None:
    counter, one = Counter(bundle, {}), visitors(shop)[0]
    lists = {
        way.__name__: way(one)
        for way in (counter.popularity, counter.segment, counter.profile, counter.context, counter.events)
    }
    assert len({tuple(rows.tolist()) for rows in lists.values()}) == len(lists)
    assert not np.isin(session_rows(one, shop), lists["context"]).any()  # it is in the basket already
    assert np.isin(session_rows(one, shop), lists["events"]).any()  # bought once, it may be bought again


def test_tables_show_each_list_next_to_both_popularities(shop: Shop, bundle: LoadedBundle) -> None:
    profile, session, next_to = user_tables(shop, Counter(bundle, {}), visitors(shop)[:12])
    assert [cells(line)[0] for line in profile[3:]] == ["towers and ranker", SEGMENT, POPULARITY]
    for lines in (session, next_to):
        named = [cells(line)[0] for line in lines[3:]]
        assert named == ["session as posted events", "session as the request's context", SEGMENT, POPULARITY]
    assert cells(session[1])[0] == "session, all purchases, 12 users"
    ours, segment, popular = (cells(line) for line in profile[3:])
    less = float(ours[1].split()[0]) - float(segment[1].split()[0])
    assert float(ours[2].split()[0]) == pytest.approx(less, abs=2e-4)
    assert (segment[2], popular[3]) == ("", "")  # not compared with themselves


def test_of_new_items_nothing_is_known_but_their_content(trained: Workspace) -> None:
    shop = Shop(trained, new_items=True)
    assert len(shop.new_items) > 100
    positives = shop.positives()
    assert not np.isin(positives.item_rows, shop.new_items).any()
    for queries in (positives.queries, shop.now.queries):
        assert not np.isin(queries[encoding.SEQUENCE] - 1, shop.new_items).any()
    assert not shop.now.item_statistics[shop.new_items].any()
    lists, truths = new_item_lists(shop, Embeddings(trained.towers))
    assert set(lists) == {TOWERS, SEGMENT, POPULARITY, CHANCE}
    for rows in lists.values():
        assert len(rows) == len(truths) > 5
        assert np.isin(np.concatenate(rows), shop.new_items).all()
    assert np.isin(np.concatenate(truths), shop.new_items).all()
    assert len(item_table(lists, truths)) == 3 + len(lists)


def test_one_label_window_is_not_enough(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"features\.ranker_windows to 2 or more"):
        opened(shop, Settings(), tmp_path)

"""Ids of requests and lists."""

import os
import re
from concurrent.futures import ThreadPoolExecutor

from serving.runtime import random_ids
from serving.runtime.random_ids import DRAWN, random_id


def test_no_id_is_given_twice_to_any_thread() -> None:
    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(lambda _: random_id(), range(4 * DRAWN)))
    assert len(set(ids)) == 4 * DRAWN
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)


def test_a_child_process_gives_out_none_of_its_parents_ids() -> None:
    random_id()
    waiting = set(random_ids._drawn)
    read, write = os.pipe()
    if not (child := os.fork()):
        os.write(write, random_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 100).decode() not in waiting

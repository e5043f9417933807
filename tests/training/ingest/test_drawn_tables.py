"""Shops drawn at random, a few of each kind; `python -m tests.training.ingest.drawn 20000` draws many."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.training.ingest.drawn.held import hold
from tests.training.ingest.drawn.shops import SHOPS
from training.engine import connect_duckdb

CONNECTION = connect_duckdb()


@pytest.mark.parametrize("name", SHOPS)
@settings(max_examples=8, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_row_is_there_and_every_value_is_the_one_that_was_written(name: str, data: st.DataObject) -> None:
    assert hold(data.draw, name, CONNECTION).outcome in ("read", "refused in words")

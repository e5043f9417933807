"""The Complete Journey, as its package holds it."""

from training.engine import connect_duckdb
from training.ingest.adapters.by_name import adapter_named
from training.ingest.adapters.source import SourceOptions


def test_complete_journey_yields_what_the_package_holds() -> None:
    source = adapter_named("complete-journey")(connect_duckdb(), SourceOptions())
    assert int(source.events.count().execute()) == 1_469_307
    assert source.time_zone == "America/New_York"

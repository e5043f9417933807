"""The rules of contracts/events/schema.py as Ibis expressions, and what a canonical table does not keep of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import ibis

from contracts.errors import DataRejected
from contracts.events.schema import LIST_SEPARATOR, EventType, Rule


def broken(rule: Rule, table: ibis.Table) -> ibis.Value:
    """Whether each row of the table breaks the rule."""
    value = table[rule.column]
    faults = []
    if rule.required:
        missing = value.isnull()
        if rule.unless_event_type:  # an unknown type is the better reason: it needs no value either
            needing = [kind.value for kind in EventType if kind not in rule.unless_event_type]
            missing &= table.event_type.isin(needing).fill_null(False)
        faults.append(missing)
    limits: tuple[tuple[bool, Callable[[], ibis.Value]], ...] = (
        (bool(rule.allowed), lambda: ~value.isin(rule.allowed)),
        (rule.at_least is not None, lambda: value < rule.at_least),
        (rule.at_most is not None, lambda: (value > rule.at_most) & ~value.isnan()),
        (rule.finite, lambda: value.isnan() | value.isinf()),
        (rule.since is not None, lambda: value < ibis.timestamp(rule.since)),
        (rule.max_length is not None, lambda: _is_longer(value, rule)),
        (rule.past, lambda: value > ibis.timestamp(datetime.now(UTC))),
    )
    faults += [breaks() for is_set, breaks in limits if is_set]
    return ibis.or_(*(fault.fill_null(False) for fault in faults))


def _is_longer(value: Any, rule: Rule) -> ibis.Value:
    longer = value.length() > rule.max_length
    if not rule.of_each:
        return longer
    longest = value.split(LIST_SEPARATOR).map(lambda one: one.length()).maxs()
    return ibis.ifelse(longer, longest > rule.max_length, longer)  # few are taken apart


def refuse_broken(table: ibis.Table, name: str, columns: Mapping[str, str], rules: Sequence[Rule]) -> None:
    """Raises DataRejected naming each column and rule of the contract that a written table does not keep."""
    faults = [*_faulty_columns(table, columns)]
    there = {column for column in columns if column in table.columns and _is_of(table, column, columns)}
    sound = [rule for rule in rules if {rule.column, *_also_read(rule)} <= there]
    if sound:  # one query for all of them
        found = (
            table.agg(**{str(at): broken(rule, table).any() for at, rule in enumerate(sound)})
            .to_pyarrow()
            .to_pylist()[0]
        )
        faults += sorted({f"{rule.column}: {rule.reason}" for at, rule in enumerate(sound) if found[str(at)]})
    if faults:
        raise DataRejected(f"The {name} table does not keep its contract: {'; '.join(faults)}.")


def _also_read(rule: Rule) -> tuple[str, ...]:
    return ("event_type",) if rule.unless_event_type else ()


def _faulty_columns(table: ibis.Table, columns: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each column that lacks, is too many, or has another type, and for another order."""
    for name, kind in columns.items():
        if name not in table.columns:
            yield f"column '{name}' is missing"
        elif not _is_of(table, name, columns):
            yield f"column '{name}' is {table[name].type()}, not {kind}"
    yield from (f"column '{name}' is not in the contract" for name in table.columns if name not in columns)
    if sorted(table.columns) == sorted(columns) and [*table.columns] != [*columns]:
        yield f"columns are in the order {', '.join(table.columns)}"


def _is_of(table: ibis.Table, name: str, columns: Mapping[str, str]) -> bool:
    """Whether the column has its type; Spark's for a moment in UTC has no zone in it."""
    kind, wanted = table[name].type(), ibis.dtype(columns[name])
    return bool(kind.is_timestamp() if wanted.is_timestamp() else kind == wanted)

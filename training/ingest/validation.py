"""The rules of contracts/events/schema.py as Ibis expressions, and as a pandera schema of each canonical table."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import ibis

from contracts.errors import DataRejected
from contracts.events.schema import EventType, Rule

if TYPE_CHECKING:
    import pandera.ibis as pandera


def broken(rule: Rule, table: ibis.Table) -> ibis.Value:
    """Whether each row of the table breaks the rule."""
    value = table[rule.column]
    faults = [ibis.literal(False)]
    if rule.required:
        missing = value.isnull()
        if rule.unless_event_type:  # an unknown type is the better reason: it needs no value either
            needing = [kind.value for kind in EventType if kind not in rule.unless_event_type]
            missing &= table.event_type.isin(needing).fill_null(False)
        faults.append(missing)
    limits: tuple[tuple[bool, Callable[[], ibis.Value]], ...] = (
        (bool(rule.allowed), lambda: ~value.isin(rule.allowed)),
        (rule.at_least is not None, lambda: value < rule.at_least),
        (rule.finite, lambda: value.isnan() | value.isinf()),
        (rule.since is not None, lambda: value < ibis.timestamp(rule.since)),
        (rule.max_length is not None, lambda: value.length() > rule.max_length),
        (rule.past, lambda: value > ibis.timestamp(datetime.now(UTC))),
    )
    faults += [breaks() for is_set, breaks in limits if is_set]
    return ibis.or_(*(fault.fill_null(False) for fault in faults))


def schema_of(columns: Mapping[str, str], rules: Sequence[Rule]) -> "pandera.DataFrameSchema":
    """The pandera schema of a table: these columns and no other, in their types, no broken rule."""
    import pandera.ibis as pandera  # a second of imports, for ingest alone

    return pandera.DataFrameSchema(
        {name: pandera.Column(ibis.dtype(kind), nullable=True) for name, kind in columns.items()},
        # Whether a null is allowed is a rule too. One verdict a rule: pandera's own checks give one for every row,
        # on Spark by a global sort.
        checks=[
            pandera.Check(
                lambda data, rule=rule: ~broken(rule, data.table).any().fill_null(False),
                error=f"{rule.column}: {rule.reason}",
            )
            for rule in rules
        ],
        strict=True,
        ordered=True,
    )


def _is_moment(table: ibis.Table, name: str) -> bool:
    return name in table.columns and bool(table[name].type().is_timestamp())


def refuse_broken(table: ibis.Table, name: str, columns: Mapping[str, str], rules: Sequence[Rule]) -> None:
    """Raises DataRejected naming each column and rule of the contract that a written table does not keep."""
    import pandera.ibis as pandera

    # Spark's type for a moment in UTC has no zone in it.
    moments = [name for name, kind in columns.items() if "timestamp" in kind and _is_moment(table, name)]
    alike = table.mutate(**{name: table[name].cast(columns[name]) for name in moments})
    try:
        schema_of(columns, rules).validate(alike, lazy=True)
    except pandera.errors.SchemaErrors as error:
        faults = sorted(
            {str(one.check.error if isinstance(one.check, pandera.Check) else one) for one in error.schema_errors}
        )
        raise DataRejected(f"The {name} table does not keep its contract: {'; '.join(faults)}.") from error

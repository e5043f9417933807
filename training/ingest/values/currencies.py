"""Whether the money of a table is in one currency: amounts of several cannot be added up."""

import re
from collections.abc import Iterator, Mapping, Sequence

import ibis

from contracts.errors import DataRejected
from training.ingest.values.numbers import currencies_in, is_plain

CURRENCY_COLUMNS = ("currency", "currencycode", "währung", "waehrung", "devise", "moneda", "valuta")
SHOWN, MANY = 5, 100
"""Currencies that are named. A column with more of them names something else."""


def plain_name(name: str) -> str:
    """The name of a column without case, blanks and signs."""
    return re.sub(r"[\W_]", "", name.lower())


def one_currency(table: ibis.Table, column: str, section: str, decimal: str) -> Iterator[str]:
    """A sentence on the rows that name no currency, where others do.

    Raises DataRejected where there are several.
    """
    texts = table[column]
    plain = is_plain(texts, decimal)
    odd = table.filter(texts.notnull() & ~plain).group_by(text=texts).agg(rows=ibis._.count()).to_pyarrow()
    rows = currencies_in(dict(zip(odd["text"].to_pylist(), odd["rows"].to_pylist(), strict=True)), decimal)
    none = rows.pop("", 0)
    if len(rows) > 1:
        raise DataRejected(
            f"{column} of {section} is in several currencies: {_counted(rows)}. They cannot be added up. "
            "Convert them to one, or leave the column out of the mapping."
        )
    if rows and (none := none + int(table.filter(plain).count().execute())):
        yield (
            f"{column} names no currency in {none:,} rows of {section}. They are taken for "
            f"{next(iter(rows))}, as the others are."
        )


def named_currencies(table: ibis.Table, columns: Sequence[str], section: str) -> Iterator[str]:
    """A sentence where a column next to the prices names several."""
    for column in columns:
        if not plain_name(column).endswith(CURRENCY_COLUMNS) or not table[column].type().is_string():
            continue
        named = table.filter(table[column].strip() != "").group_by(column).agg(rows=ibis._.count())
        rows = {str(row[column]): row["rows"] for row in named.limit(MANY).to_pyarrow().to_pylist()}
        if 1 < len(rows) < MANY:
            yield (
                f"{column} of {section} names several currencies: {_counted(rows)}. Prices are added up as if all were "
                "in one. Convert them to one, or leave them out of the mapping."
            )


def _counted(rows: Mapping[str, int]) -> str:
    """The first few, the most frequent first."""
    most = sorted(rows, key=lambda name: (-rows[name], name))
    return ", ".join(f"{name} in {rows[name]:,} rows" for name in most[:SHOWN]) + (", …" if len(most) > SHOWN else "")

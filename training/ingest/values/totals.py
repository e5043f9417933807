"""Lines of totals, which programs write below the rows of an export: their name would be a user, or a product."""

from collections.abc import Sequence
from typing import Any, Final

import ibis

from training.ingest.values.numbers import is_plain
from training.ingest.values.texts import is_given

TOTALS_ROW: Final = "totals_row"
TOTAL: Final = (
    r"^(.*\s)?((grand|sub|overall)[\s-]?)?(totals?|sum|summe|gesamt|gesamtsumme|endsumme|zwischensumme|ergebnis|"
    r"gesamtergebnis|total (g[eé]n[eé]ral|geral)|totaal|totale|suma|summa|razem|toplam|yhteensä|итого|всего|"
    r"合計|总计)\s*:?$"
)
"""What a line of totals is called, below the rows of an export or of a group of them."""


def totals_in(table: ibis.Table, columns: Sequence[str], key: str, moment: str, decimal: str) -> Any | None:
    """Which rows of a source's table are lines of totals; None where no column could say so.

    columns: what the source has written; key is the one of ids, and moment the one of times. decimal: the sign before
    decimals, as the mapping says it.
    A line without a time, and without something else, is no event, so that any cell may name a total. Where there is no
    such column the key must name it, with nothing but numbers next to it and half of that empty: a product that is
    called Total has more to say.
    """
    texts = {name: table[name] for name in columns if table[name].type().is_string()}
    says_total = {name: text.strip().lower().re_search(TOTAL) for name, text in texts.items()}
    if moment in columns and says_total:
        given = [is_given(table[name]).cast("int64") for name in columns]
        at = table[moment]
        no_moment = ~is_given(at) | says_total.get(moment, ibis.literal(False))
        two_empty = sum(given[1:], given[0]) <= len(given) - 2
        no_event = no_moment & ibis.or_(*says_total.values()).fill_null(False) & two_empty
        may_be_none = ~is_given(at)  # asked first, as it costs a fraction of what the words do
        if moment in texts:
            may_be_none = may_be_none | (at < "0") | (at >= ":")
        return ibis.ifelse(may_be_none, no_event, False)
    if key in texts and len(others := texts.keys() - {key}) > 1:
        empty = [~is_given(texts[name]) for name in sorted(others)]
        numbers = [is_plain(texts[name], decimal) for name in sorted(others)]
        nothing_else = ibis.and_(*(blank | number for blank, number in zip(empty, numbers, strict=True)))
        sparse = sum((blank.cast("int64") for blank in empty[1:]), empty[0].cast("int64")) * 2 >= len(others)
        return ibis.ifelse(says_total[key], nothing_else & sparse, False)
    return None

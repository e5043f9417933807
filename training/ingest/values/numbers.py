"""Numbers and money as shops write them: with a currency, with thousands apart, in brackets where they are negative.

A number is read only where it can be no other one: 1,234 needs a word on what its comma is.
"""

import re
import sys
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import ibis

from contracts.errors import InvalidInput
from training.ingest.values.text_function import text_function

SPACE: Final = "[\\s\u00a0\u2007\u2009\u202f]"
MINUS: Final = "\\-\u2212"
SIGNS: Final = "[$¢£¤¥฿﷼＄￡￥\u20a0-\u20c0]"
CODES: Final = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF "
    "CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD "
    "HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD "
    "MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN "
    "PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY "
    "TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWL"
)
"""Of ISO 4217."""
WORDS: Final = (
    "eur usd gbp chf Eur Usd Gbp Chf Euros Euro euros euro kr Kr Rs Fr SFr RM Rp TL R zł Zł Kč Ft lei Lei лв руб р din "
    "円 元 원"
)
"""What shops write besides, with a dot behind it or without."""
CURRENCY: Final = rf"[A-Z]{{0,3}}{SIGNS}|{CODES.replace(' ', '|')}|(?:{WORDS.replace(' ', '|')})\.?"
SAME: Final = {
    "€": "EUR",
    "EURO": "EUR",
    "EUROS": "EUR",
    "£": "GBP",
    "US$": "USD",
    "RS": "INR",
    "₹": "INR",
    "ZŁ": "PLN",
    "円": "JPY",
    "元": "CNY",
    "원": "KRW",
}
"""Signs that only one currency has."""
APART: Final = rf"[1-9]\d{{0,2}}(?:(?:{SPACE}|['’])\d{{3}})+"
COMMAS: Final = r"[1-9]\d{0,2}(?:,\d{2,3})*,\d{3}"  # 12,34,567 of India is 1234567
NUMBERS: Final = {
    ".": rf"(?:{APART}|{COMMAS}|\d+)(?:\.\d+)?|\.\d+",
    ",": rf"(?:{APART}|[1-9]\d{{0,2}}(?:\.\d{{3}})+|\d+)(?:,\d+)?|,\d+",
    "": rf"(?:{APART}|\d+)(?:\.\d+)?|\.\d+|{COMMAS}\.\d+|[1-9]\d{{0,2}}(?:,\d{{2,3}})+,\d{{3}}",
}
"""By the sign of decimals that the mapping says; without it 1,234 is read by nobody."""
EITHER: Final = re.compile(r"[1-9]\d{0,2}\.\d{3}", re.ASCII)
"""1.234 next to a currency: one and a bit, or more than a thousand?"""
PLAIN: Final = {
    ".": r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$",
    ",": r"^\s*[+-]?(\d+|\d*,\d+)([eE][+-]?\d+)?\s*$",
}
"""What most columns hold, which the engine reads by itself."""
FULL_WIDTH: Final = {0xFF01 + at: chr(0x21 + at) for at in range(94)} | str.maketrans("\u3000￠￡￥￦", " ¢£¥₩")
"""１２，３００ and ￥ of a Japanese keyboard."""
FINE_MARKS: Final = ("", "+", "-", "\u2212", "()")
NAN: Final = float("nan")
LARGEST: Final = sys.float_info.max
Amount = tuple[float, frozenset[str]]
"""A number, and the currencies that stand by it."""


def as_number(value: Any, decimal: str = "", *, money: bool = False) -> Any:
    """The column as float64; null for a null, an infinite number, and a text that is not a number.

    decimal: the sign before decimals, empty where the mapping says nothing. money: a currency may stand by a number.
    Raises InvalidInput for another sign.
    """
    _refuse_unknown(decimal)
    kind = value.type()
    if kind.is_numeric() and not kind.is_boolean():
        number = value.try_cast("float64")
    else:
        text = value.cast("string")
        plain = text.strip().replace(",", ".") if decimal == "," else text.strip()
        number = ibis.cases(
            (is_plain(text, decimal), plain.try_cast("float64")), (text.notnull(), _engine_reader(decimal, money)(text))
        )
    return ibis.ifelse(number.abs() <= LARGEST, number, None)  # engines have NaN behind all numbers


def is_plain(text: Any, decimal: str) -> Any:
    """Whether each text is a number without anything else, which has no currency."""
    return text.re_search(PLAIN[decimal or "."])


def _engine_reader(decimal: str, money: bool) -> Any:
    def number(text: str) -> float:
        found = amount(text, decimal, money=money)
        return NAN if found is None else found[0]  # DuckDB refuses nulls

    return text_function(number, "float64")


@lru_cache(maxsize=200_000)
def amount(text: str, decimal: str = "", *, money: bool = False) -> Amount | None:
    """The number that a text says; None where it is not a number, or may be two."""
    text = text.translate(FULL_WIDTH)
    if re.fullmatch(PLAIN[decimal or "."], text, re.ASCII):
        return float(text.strip().replace(",", ".")), frozenset()
    found = _form(decimal, money=money).fullmatch(text)
    marks = re.sub(rf"[^()+{MINUS}]", "", text)
    if found is None or marks not in FINE_MARKS:
        return None
    currencies = names_of(f"{found[1] or ''} {found[3] or ''}")
    if currencies and not decimal and EITHER.fullmatch(found[2]):
        return None
    digits = re.sub(rf"{SPACE}|['’]", "", found[2])
    digits = digits.replace(".", "").replace(",", ".") if decimal == "," else digits.replace(",", "")
    return (float(digits) if marks in ("", "+") else -float(digits)), currencies


def currencies_in(texts: Mapping[str, int], decimal: str = "") -> Counter[str]:
    """How many of the amounts are in each currency; "" for those that name none. texts: how often each is there."""
    rows: Counter[str] = Counter()
    for text, times in texts.items():
        if (found := amount(text, decimal, money=True)) is not None:
            rows.update(dict.fromkeys(found[1] or ("",), times))
    return rows


def names_of(written: str) -> frozenset[str]:
    """What stands before and behind a number, each by one name: EUR for €, euro and `€ EUR`, USD for `$ USD`."""
    names = {SAME.get(name, name) for name in written.upper().replace(".", "").split()}
    return frozenset(names.intersection(CODES.split()) or names)


@lru_cache
def _form(decimal: str, *, money: bool) -> "re.Pattern[str]":
    """The pattern of a whole text: currency, number, currency."""
    lead, tail = f"(?:{SPACE}|[(+{MINUS}])*", f"(?:{SPACE}|[){MINUS}])*"
    currency = CURRENCY if money else "(?!)"
    whole = f"{lead}(?:({currency}){lead})?({NUMBERS[decimal]}){tail}(?:({currency}){tail})?"
    return re.compile(whole, re.ASCII)


def _refuse_unknown(decimal: str) -> None:
    if decimal not in NUMBERS:
        raise InvalidInput(f"decimal is {decimal!r}, expected '.' or ','.")

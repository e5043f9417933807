"""Numbers and dates as people read them."""

from datetime import date, timedelta

EPOCH = date(1970, 1, 1)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def percent(share: float) -> str:
    """Two digits that matter: 0.0312 is 3.1 %, 0.412 is 41 %, 0.9939 is 99.4 %."""
    value = 100 * share
    if value in (0, 100):
        return f"{value:.0f} %"
    if value < 0.01:
        return "under 0.01 %"
    if 99.9 < value < 100:
        return "over 99.9 %"
    if value < 1:
        return f"{value:.2f} %"
    return f"{value:.1f} %" if value < 10 or 99 < value < 100 else f"{value:,.0f} %"


def number(value: float) -> str:
    """1,460,406 · 180 · 13.9."""
    return f"{value:,.0f}" if value >= 100 or float(value).is_integer() else f"{value:,.1f}"


def money(value: float) -> str:
    """An amount in the currency of the source, which has no sign here."""
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"


def counted(value: float, noun: str) -> str:
    """1 day, 7 days."""
    return f"{number(value)} {noun}{'' if value == 1 else 's'}"


def times(ratio: float) -> str:
    """2.3 times."""
    return f"{ratio:,.1f} times" if ratio < 20 else f"{ratio:,.0f} times"


def day_of(local_day: int) -> date:
    """The date of a day counted from 1970-01-01."""
    return EPOCH + timedelta(days=int(local_day))


def month_of(month: int) -> date:
    """The first day of a month counted as year * 12 + month - 1."""
    return date(month // 12, month % 12 + 1, 1)


def written(day: date) -> str:
    """24 Dec 2017."""
    return f"{day.day} {day:%b %Y}"


def reason(name: str) -> str:
    """quantity_not_positive as words."""
    return name.replace("_", " ")

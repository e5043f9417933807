"""Texts to moments: every spelling that is understood, and those that are not."""

import pytest

from contracts.errors import InvalidInput
from training.ingest.values.moment_text import WRONG, ZONELESS, Reading, reader

TEN = "2024-01-05 10:00:00.000000+00:00"


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2024-01-05T10:00:00Z", TEN),
        ("2024-01-05t10:00:00Z", WRONG),
        ("2024-1-5 10:00z", TEN),
        ("2024/01/05 10:00:00 UTC", TEN),
        ("2024-01-05 10:00:00 GMT", TEN),
        ("2024-01-05T15:45:00+05:45", TEN),
        ("2024-01-05T11:00:30+01:00:30", TEN),
        ("2024-01-05T07:00:00-03", TEN),
        ("2024-01-05 11:00 Europe/Paris", TEN),
        ("2024-01-05 07:00 Etc/GMT+3", TEN),
        ("2024-01-05 07:00 America/Argentina/Buenos_Aires", TEN),
        ("2024-01-05 10:00 Nowhere/Town", WRONG),
        ("2024-01-05 10:00 EST", WRONG),
        ("2024-01-05 10:00:00 +0100 CET", WRONG),
        ("2024-01-05T10:00:00.123456789Z", "2024-01-05 10:00:00.123456+00:00"),
        ("2024-01-05T10:00:00,5Z", "2024-01-05 10:00:00.500000+00:00"),
        ("2024-01-05T10:00:00+25:00", WRONG),
        ("2024-01-05T10:00:00+01:60", WRONG),
        ("2024-02-30T10:00:00Z", WRONG),
        ("24-01-05 10:00Z", WRONG),
        ("0024-01-05 10:00Z", WRONG),
        ("9999-12-31T23:59:59-12:00", WRONG),
        ("1704448800", WRONG),
        ("soon", WRONG),
        ("2024-01-05 10:00:00", ZONELESS),
        ("2024-01-05", ZONELESS),
        ("  ", ""),
    ],
)
def test_a_text_is_a_moment_where_all_of_it_is_understood(text: str, utc: str) -> None:
    assert reader(Reading())(text) == utc


def test_a_clock_without_a_zone_is_in_the_mappings() -> None:
    read = reader(Reading(time_zone="Europe/Paris"))
    assert read("2024-01-05 11:00") == TEN  # one hour ahead in winter
    assert read("2024-07-05 12:00") == "2024-07-05 10:00:00.000000+00:00"  # two in summer
    assert read("2024-01-05 10:00 GMT") == TEN  # its own zone stays its own
    assert read("2024-10-27 02:30") == "2024-10-27 00:30:00.000000+00:00"  # there twice
    assert read("2024-03-31 02:30") == "2024-03-31 01:30:00.000000+00:00"  # never there


@pytest.mark.parametrize(
    ("unit", "text", "utc"),
    [
        ("s", "1704448800", TEN),
        ("ms", "1704448800000", TEN),
        ("us", "1704448800000000", TEN),
        ("ns", "1704448800000000789", TEN),
        ("s", "1704448800.5", "2024-01-05 10:00:00.500000+00:00"),
        ("s", "-1", "1969-12-31 23:59:59.000000+00:00"),
        ("s", "1704448800000000", WRONG),  # microseconds
        ("ms", "99999999999999999999", WRONG),
        ("ms", "2024-01-05T10:00:00Z", TEN),  # no number of milliseconds
        ("ms", "1e400", WRONG),
    ],
)
def test_a_number_is_a_moment_in_its_unit(unit: str, text: str, utc: str) -> None:
    assert reader(Reading(epoch_unit=unit))(text) == utc


@pytest.mark.parametrize(
    ("date_format", "text", "utc"),
    [
        ("%m/%d/%Y %H:%M", "12/1/2009 7:45", "2009-12-01 07:45:00.000000+00:00"),
        ("%d/%m/%Y %H:%M", "12/1/2009 7:45", "2009-01-12 07:45:00.000000+00:00"),
        ("%m/%d/%Y %H:%M", "13/1/2009 7:45", WRONG),
        ("%d-%b-%y %I:%M %p", "1-Dec-09 07:45 PM", "2009-12-01 19:45:00.000000+00:00"),
        ("%d-%b-%y %I:%M %p", "1-December-70 12:05 am", "1970-12-01 00:05:00.000000+00:00"),
        ("%d-%b-%y %I:%M %p", "1-Dec-09 13:45 PM", WRONG),
        ("%d-%b-%y %H:%M %p", "1-Dec-09 1:30 PM", "2009-12-01 13:30:00.000000+00:00"),
        ("%d-%b-%y %H:%M %p", "1-Dec-09 13:30 PM", "2009-12-01 13:30:00.000000+00:00"),
        ("%d-%b-%y %H:%M %p", "1-Dec-09 12:30 am", "2009-12-01 00:30:00.000000+00:00"),
        ("%d-%b-%y %H:%M %p", "1-Dec-09 0:30 AM", "2009-12-01 00:30:00.000000+00:00"),
        ("%d-%b-%y %H:%M %p", "1-Dec-09 0:30 PM", WRONG),
        ("%d-%b-%y %H:%M %p", "1-Dec-09 13:30 AM", WRONG),
        ("%d-%b-%y %I:%M %p", "1-Dec-09 0:30 AM", WRONG),
        ("%d-%b-%Y", "1-Foo-2009", WRONG),
        ("%d %b %Y", "5 SEPT 2024", "2024-09-05 00:00:00.000000+00:00"),
        ("%d %B %Y", "5 may 2024", "2024-05-05 00:00:00.000000+00:00"),
        ("%d %B %Y", "5 marraskuu 2024", WRONG),  # November
        ("%d %B %Y", "5 marzo 2024", WRONG),
        ("%d %b %Y", "5 juni 2024", WRONG),
        ("%d %b %Y", "5 Marchxyz 2024", WRONG),
        ("%A, %d %B %Y %T %z", "Friday, 05 January 2024 11:00:00 +0100", TEN),
        ("%Y%m%d", "20240105", "2024-01-05 00:00:00.000000+00:00"),
        ("%Y%m%d", "2024015", WRONG),  # the fifth of January, or 5 of the tenth month?
        ("%Y%m%d", "202411", WRONG),
        ("%d%m%Y", "1012024", WRONG),
        ("%d%m%Y", "01122024", "2024-12-01 00:00:00.000000+00:00"),
        ("%y%m%d", "24105", WRONG),
        ("%Y%m%d %H%M", "20240105 0130", "2024-01-05 01:30:00.000000+00:00"),
        ("%Y%m%d %H%M", "20240105 130", WRONG),
        ("%Y%m%d%H%M%S%f", "202401051000005", "2024-01-05 10:00:00.500000+00:00"),
        ("%Y%m%d%H%M%S%f", "20240105100000", WRONG),
        ("%Y%m%dT%I%M%p", "20240105T0130PM", "2024-01-05 13:30:00.000000+00:00"),
        ("%d%b%Y", "5Jan2024", "2024-01-05 00:00:00.000000+00:00"),  # letters between keep them apart
        ("%d.%m.20%y", "5.1.2024", "2024-01-05 00:00:00.000000+00:00"),
        ("%d.%m20%y", "5.12024", WRONG),
        ("%d.%m.%Y %T.%f", "05.01.2024 10:00:00.25", "2024-01-05 10:00:00.250000+00:00"),
        ("%d.%m.%Y", "2024-01-05T10:00:00Z", TEN),  # ISO 8601 stays readable
        ("%d %% %m %Y", "5 % 1 2024", "2024-01-05 00:00:00.000000+00:00"),
        ("%m/%d/%Y | %m-%d-%y", "1/5/2024", "2024-01-05 00:00:00.000000+00:00"),  # written in two ways
        ("%m/%d/%Y | %m-%d-%y", "01-05-24", "2024-01-05 00:00:00.000000+00:00"),
        ("%m/%d/%Y | %d/%m/%Y", "13/1/2024", "2024-01-13 00:00:00.000000+00:00"),  # no month 13: the next is tried
        ("%m/%d/%Y | %d/%m/%Y", "13/13/2024", WRONG),
    ],
)
def test_a_format_of_the_mapping_is_read(date_format: str, text: str, utc: str) -> None:
    assert reader(Reading(time_zone="UTC", date_format=date_format))(text) == utc


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epoch_unit": "weeks"}, "epoch_unit is 'weeks', expected one of s, ms, us, ns"),
        ({"time_zone": "Mars/Olympus"}, "expected an IANA name"),
        ({"date_format": "%Q"}, "date_format has '%Q', which is none of"),
        ({"date_format": "%d %d"}, "or comes twice"),
        ({"date_format": "%d.%m.%Y | %H"}, "'%H' has no year, month, day"),
        ({"date_format": "%d.%m.%Y %I:%M"}, "has %I, an hour of twelve, without %p: for hours of 24 write %H"),
        ({"date_format": "%H:%M"}, "has no year, month, day"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        Reading(**options)

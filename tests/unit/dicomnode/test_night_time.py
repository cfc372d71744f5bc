from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from dicomnode.night_time import night_due

LATE = timedelta(hours=6)
BERLIN = ZoneInfo("Europe/Berlin")
NINE = time(21, 0)


def due(now, at=NINE, late=LATE):
    return night_due(now, at, late)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ((2026, 3, 10, 20, 59), None),
        ((2026, 3, 10, 21, 0), date(2026, 3, 10)),
        ((2026, 3, 10, 23, 30), date(2026, 3, 10)),
        ((2026, 3, 11, 2, 59), date(2026, 3, 10)),
        ((2026, 3, 11, 3, 1), None),
        ((2026, 3, 11, 12, 0), None),
    ],
)
def test_night_is_called_by_the_date_on_which_it_begins(now, expected):
    """Behind midnight too; before its time and too long behind it there is none."""
    assert due(datetime(*now, tzinfo=BERLIN)) == expected


@pytest.mark.parametrize("day", [date(2026, 3, 28), date(2026, 3, 29), date(2026, 10, 24), date(2026, 10, 25)])
@pytest.mark.parametrize("at", [time(2, 30), time(1, 0), time(21, 0)])
def test_both_nights_of_the_clocks_have_one_date_each(day, at):
    """Looked at every ten minutes over three days, each date comes up once and none is left out."""
    start = datetime.combine(day, time(0, 0), BERLIN)
    instants = [start.astimezone(ZoneInfo("UTC")) + timedelta(minutes=10 * n) for n in range(3 * 144)]

    found = [found for one in instants if (found := due(one.astimezone(BERLIN), at))]

    assert list(dict.fromkeys(found)) == sorted(set(found))
    assert {day, day + timedelta(days=1)} <= set(found)


def test_missed_nights_are_made_up_for_once():
    """A machine that was off for three days does the last one, if it is not too late for it."""
    assert due(datetime(2026, 3, 14, 0, 30, tzinfo=BERLIN)) == date(2026, 3, 13)
    assert due(datetime(2026, 3, 14, 9, 0, tzinfo=BERLIN)) is None

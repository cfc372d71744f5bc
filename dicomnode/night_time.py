"""Which night it is: one for each local date, whatever the clocks do (pure)."""

from datetime import date, datetime, time, timedelta


def night_due(now: datetime, at: time, late: timedelta) -> date | None:
    """Return the date of the night whose time has come and is not long past; None if there is none.

    A night that was missed is made up for, once, until it is too late for it; the nights before it are not. Times are
    as a clock on the wall shows them: where an hour is skipped or comes twice the date is the same, and a run is called
    by the date.

    Args:
        now: in the site's local time.
        at: when a night begins.
        late: until when it is made up for, less than a day.
    """
    wall = now.replace(tzinfo=None)
    today = datetime.combine(wall.date(), at)
    begun = today if wall >= today else today - timedelta(days=1)
    return begun.date() if wall - begun <= late else None

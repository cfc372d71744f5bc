"""Calendar months, by which reports are made, in UTC (pure)."""

from datetime import UTC, datetime, timedelta

from adaptation.errors import AdaptationError


def month_of(at: datetime) -> str:
    """Return the month of a time."""
    return f"{at:%Y-%m}"


def month_before(now: datetime) -> str:
    """Return the last month that is over."""
    return month_of(now.replace(day=1) - timedelta(days=1))


def end_of(month: str) -> datetime:
    """Return the first moment, in UTC, after a month.

    Raises:
        AdaptationError: what is given is no month.
    """
    try:
        first = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    except ValueError as error:
        raise AdaptationError(f"{month} is no month, as 2026-03 is") from error
    return (first + timedelta(days=31)).replace(day=1)

"""How much alpha a look at the gate may spend, so that a year of looks is wrong no more often than it may be (pure).

Each look tests another candidate, so that the risks add up (Bonferroni), however alike the looks are. The first looks
get more: a site's first cases bring most of the gain. A look that promotes has its alpha given back, as in the fallback
procedure (Wiens and Dmitrienko 2005): if the candidate was better, nothing was risked, and if not, the year's one error
is made already. What looks of more than a year ago spent is free again, so that no year spends more than its alpha.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from adaptation.limits import LookLimits


@dataclass(frozen=True)
class Look:
    """One look at the gate.

    Args:
        at: when, with its time zone.
        alpha: that it spent.
        promoted: whether the gate let anything through.
        generation: of the gate's cases, which was looked at.
    """

    at: datetime
    alpha: float
    promoted: bool
    generation: int = 1


@dataclass(frozen=True)
class Share:
    """What the next look may spend.

    Args:
        alpha: of the whole look; 0 where no look is left.
        number: of the look within the year, the first is 1.
        again: when a look is free again; None while one is left.
    """

    alpha: float
    number: int
    again: datetime | None = None


def next_share(past: Sequence[Look], at: datetime, limits: LookLimits) -> Share:
    """Return what a look may spend.

    Args:
        past: every look so far.
        at: when the next is taken, with its time zone. A look later than this, of a clock that was set back, counts.
        limits: of the year.
    """
    year = timedelta(days=limits.year_days)
    within = sorted((look for look in past if look.at > at - year), key=lambda look: look.at)
    number = len(within) + 1
    if number > limits.looks:
        return Share(0.0, number, again=within[len(within) - limits.looks].at + year)
    paid = [look.alpha for look in within if not look.promoted]
    left = max(0.0, limits.year_alpha - sum(paid))
    weights = [rank**-limits.front for rank in range(len(paid) + 1, limits.looks + 1)]
    return Share(left * weights[0] / sum(weights), number)


def wear_of(past: Sequence[Look], at: datetime, limits: LookLimits) -> str:
    """Return in words that cases of the gate were looked at too often or for too long; nothing while they were not.

    Whatever a look spends, each one picks candidates that suit these cases: a gate that is used up flatters.

    Args:
        past: every look so far at the cases that judge now.
        at: with its time zone.
        limits: of the year: as many looks, or as many days since the first one, wear the cases out.
    """
    if not past:
        return ""
    first = min(look.at for look in past)
    if len(past) < limits.looks and at - first < timedelta(days=limits.year_days):
        return ""
    return (
        f"the gate's cases have been looked at {len(past)} times since {first:%Y-%m-%d}: after {limits.looks} looks or"
        f" {limits.year_days:g} days they are to be replaced, as candidates come to suit them: `dicomnode adapt gate"
        " renew` begins with that"
    )


def is_worth_a_look(tune_gain: float, limits: LookLimits) -> bool:
    """Return whether a candidate does well enough on the tuning cases to spend a look; these are no cases of the gate.

    Args:
        tune_gain: mean DSC of the candidate less that of the model in service; a NaN is worth none.
        limits: of the looks.
    """
    return tune_gain > limits.tune_gain

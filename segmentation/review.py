"""Whether a result goes out or waits for a person, as the site wants it (pure)."""

from dataclasses import dataclass

from segmentation.contouring import Contouring


@dataclass(frozen=True)
class ReviewLimits:
    """What a site holds for review before it is sent.

    Args:
        below_dsc: a result with an organ whose expected DSC is below this; 0 for none.
        implausible: a result with an organ of implausible volume, place or number of parts.
    """

    below_dsc: float = 0.0
    implausible: bool = False


def reasons_to_hold(contouring: Contouring, limits: ReviewLimits) -> tuple[str, ...]:
    """Return why a result waits for a person, each a sentence; none where it may go out.

    An organ of which nothing is expected, as the model is not calibrated for it, holds nothing.
    """
    unsure = [
        f"{organ}: a DSC of {value:.2f} is expected, less than the {limits.below_dsc:.2f} that go out without review "
        "(contouring.hold_below_dsc)"
        for organ, value in contouring.expected_dice.items()
        if value < limits.below_dsc
    ]
    odd = [
        f"{sentence} (contouring.hold_implausible)"
        for sentences in (contouring.doubts.values() if limits.implausible else ())
        for sentence in sentences
    ]
    return (*unsure, *odd)

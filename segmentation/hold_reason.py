"""Why a series is held, and the two common forms of a check (pure)."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

from segmentation.slice_header import Headers, SliceHeader


@dataclass(frozen=True)
class Reason:
    """Why a series is held.

    Args:
        code: stable slug.
        text: sentence for the operator, with numbers, without identity.
        releasable: whether an operator may have the series contoured all the same.
    """

    code: str
    text: str
    releasable: bool


Check = Callable[[Headers], Iterator[Reason]]


def never(code: str, text: str) -> Reason:
    """Return a reason that no operator may overrule."""
    return Reason(code, text, releasable=False)


def plural(count: int, what: str) -> str:
    """Return "1 slice", "2 slices"."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def share(count: int, headers: Headers) -> str:
    """Return how many of the slices it is, as the subject of a sentence."""
    return "all slices" if count == len(headers) else f"{count} of {len(headers)} slices"


def counted(code: str, says: str, is_so: Callable[[SliceHeader], bool], *, releasable: bool = False) -> Check:
    """Return a check that gives one reason if something is so of any slice; `says` follows "3 of 90 slices"."""

    def check(headers: Headers) -> Iterator[Reason]:
        if count := sum(map(is_so, headers)):
            yield Reason(code, f"{share(count, headers)} {says}", releasable)

    return check


def agreed(code: str, what: str, value: Callable[[SliceHeader], Hashable]) -> Check:
    """Return a check that gives a reason if a value differs between slices."""

    def check(headers: Headers) -> Iterator[Reason]:
        counts = Counter(map(value, headers)).most_common()
        if len(counts) > 1:
            shares = ", ".join(str(count) for _, count in counts[:5]) + (", ..." if len(counts) > 5 else "")
            yield never(code, f"the slices disagree on {what}: {len(counts)} different ones, of {shares} slices")

    return check

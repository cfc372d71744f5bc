"""What Image Type says of a CT image: localizer, secondary, derived (pure).

PS3.3 C.7.6.1.1.2 and C.8.2.1.1.1: value 1 is ORIGINAL or DERIVED, value 2 PRIMARY or SECONDARY, value 3 AXIAL or
LOCALIZER; what follows is the vendor's.
"""

import re
from collections.abc import Iterator, Sequence

LOCALIZERS = frozenset({"LOCALIZER", "LOCALISER", "SCOUT", "TOPOGRAM", "SCANOGRAM", "SURVIEW"})
# An axial image that holds these words shows no HU, or not those of its own plane.
OTHER_CONTENT = frozenset(
    {
        "MPR",
        "REFORMATTED",
        "CURVED",
        "PROJECTION",
        "MIP",
        "MINIP",
        "MAXIP",
        "VRT",
        "SSD",
    }  # of another plane, or of none
    | {"PERFUSION", "SUBTRACTION", "IODINE", "VNC", "OVERLAY"}
)


def is_localizer(image_type: Sequence[str]) -> bool:
    """Whether it is a localizer, in the word of the Standard or of a vendor."""
    return not LOCALIZERS.isdisjoint(_words(image_type[2:]))


def is_secondary(image_type: Sequence[str]) -> bool:
    """Whether it was made after the examination, as a screen shot or a reformat."""
    return image_type[1:2] == ("SECONDARY",)


def is_derived(image_type: Sequence[str]) -> bool:
    """Whether its pixels were computed from other images, or show another plane or quantity than an axial CT does.

    DERIVED, PRIMARY, AXIAL is what scanners write on planning CTs that were corrected for metal, averaged over the
    breath or resampled, and the header does not say which: a person who knows looks at it and releases it.
    """
    return image_type[:1] == ("DERIVED",) or not OTHER_CONTENT.isdisjoint(_words(image_type[2:]))


def _words(values: Sequence[str]) -> Iterator[str]:
    for value in values:
        yield from re.split(r"[\s_]+", value)

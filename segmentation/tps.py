"""What treatment planning systems are documented to do with a structure set that is good or nearly so (pure).

Only what someone wrote down in public and can be looked up stands here. Of Monaco, Pinnacle and MIM nothing was found
that goes beyond the general rules; their rows are empty until there is a source.
"""

from dataclasses import dataclass
from types import MappingProxyType

from segmentation.errors import StructureSetError
from segmentation.lint_rule import Severity


@dataclass(frozen=True)
class Quirk:
    """What a TPS makes of the fault that a rule of the lint finds.

    Args:
        rule: the rule's id.
        severity: of its findings for this TPS.
        says: what the TPS does, a sentence.
        source: where that is documented.
    """

    rule: str
    severity: Severity
    says: str
    source: str


QUIRKS = MappingProxyType(
    {
        "eclipse": (
            Quirk(
                "ds-length",
                Severity.ERROR,
                "Eclipse did not open such a file and logged the size of each value as invalid for VR DS.",
                "https://github.com/GSTT-CSC/TotalSegmentator-AIDE/issues/11",
            ),
            Quirk(
                "label-length",
                Severity.ERROR,
                "A longer label caused many problems in Eclipse.",
                "https://github.com/pytrip/pytrip/pull/291",
            ),
            Quirk(
                "code-context",
                Severity.ERROR,
                "Eclipse did not set the Structure Code of a structure whose Context Group Version was lost.",
                "https://github.com/rexcardan/Evil-DICOM/issues/104",
            ),
        ),
        "raystation": (
            Quirk(
                "interpreted-type-empty",
                Severity.WARNING,
                "RayStation makes a second ROI, name (1), where a ROI of that name has another type.",
                "https://github.com/brianmanderson/Dicom_RT_and_Images_to_Mask/pull/15",
            ),
            Quirk(
                "roi-without-contours",
                Severity.NOTE,
                "RayStation itself leaves the sequences of a ROI without contours out.",
                "https://github.com/pyplati/platipy/issues/143",
            ),
        ),
        "monaco": (),
        "pinnacle": (),
        "mim": (),
    }
)


def quirks_of(name: str) -> tuple[Quirk, ...]:
    """Return the documented quirks of a TPS, by its name in any capitals; of some there are none.

    Raises:
        StructureSetError: for a name that is not in the table.
    """
    if name.lower() not in QUIRKS:
        raise StructureSetError(f"{name!r} is none of the systems that are known here: {', '.join(QUIRKS)}")
    return QUIRKS[name.lower()]

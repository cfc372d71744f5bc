"""How a structure set is written for those who will read it: one profile each, every difference with its source (pure).

A system that nothing was found of which asks for something else gets the clinical profile: nothing here is guessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from segmentation.errors import StructureSetError
from segmentation.structures import PLAIN, Appearance

BLUR_PX = 0.7  # sigma; turns the staircase of a bare mask into a slope that the level line crosses in between
INTERPOLATION = 0.5**2 / 6  # px^2, the variance of straight lines between values half a pixel apart
PIXEL = 1 / 12  # px^2, the variance of a mean over a pixel


@dataclass(frozen=True)
class FieldRule:
    """How a field becomes a line.

    Args:
        clamp: the least distance of the field from 0.5 at any pixel centre. It keeps the line clamp / (clamp + 0.5) /
            sqrt(2) pixels away from every centre.
        tolerance_px: how far simplification may move the line, less than that distance.
        spread_px2: the variance of what a value of the field is a mean over, along one axis; the line is smoothed, and
            what it lost by that is given back (`fairing`). None: it is left as it was traced.
    """

    clamp: float
    tolerance_px: float
    spread_px2: float | None = None


@dataclass(frozen=True)
class CodeContext:
    """The context group that the codes of organs are said to come from (PS3.3 8.8, Enhanced Encoding Mode).

    Args:
        scheme: Coding Scheme Designator; `FMA`, of the Foundational Model of Anatomy, whose codes have the side.
        scheme_version: of it.
        resource: Mapping Resource.
        resource_uid: of it.
        resource_name: of it.
        group: Context Identifier.
        group_uid: of it.
        group_version: Context Group Version.
    """

    scheme: str
    scheme_version: str
    resource: str
    resource_uid: str
    resource_name: str
    group: str
    group_uid: str
    group_version: str


@dataclass(frozen=True)
class Profile:
    """How a structure set is written for those who will read it.

    Args:
        name: under which it is asked for.
        level: of the field, 0 to 1, on which the line runs.
        of_probability: the rule where the network's probabilities are at hand; None: they are not used.
        of_mask: the rule for a bare mask.
        blur_px: sigma for a bare mask; 0: none.
        is_doubled: whether the field is traced at half the pixels' distance: half as much is lost at a curve, where a
            line from pixel to pixel is a chord.
        keeps_thin: whether a piece of a single pixel's width keeps a vertex on each of its pixels. Readers that round
            vertices to pixels see a line there, and of a line some fill the vertices only (skimage.draw.polygon).
        systems: whose documented quirks must not be met by what is written, by their names in `tps`.
        codes: by which an organ is identified; None: SNOMED CT, as the Standard's context groups ask.
        appearances: TG-263 name to how the site shows the organ.
        says: what it is for, or how it differs from the clinical one, in a sentence.
        source: where that is documented.
    """

    name: str
    level: float
    of_probability: FieldRule | None
    of_mask: FieldRule
    blur_px: float
    is_doubled: bool = False
    keeps_thin: bool = False
    systems: tuple[str, ...] = ()
    codes: CodeContext | None = None
    appearances: Mapping[str, Appearance] = field(default_factory=lambda: PLAIN)
    says: str = ""
    source: str = ""


CLINICAL = Profile(
    name="clinical",
    level=0.5,
    # What a network says of a pixel is taken for its share of the organ, a mean over the pixel.
    of_probability=FieldRule(clamp=0.04, tolerance_px=0.05, spread_px2=PIXEL + INTERPOLATION),
    of_mask=FieldRule(clamp=0.1, tolerance_px=0.05, spread_px2=BLUR_PX**2 + INTERPOLATION),
    blur_px=BLUR_PX,
    is_doubled=True,
    systems=("raystation", "monaco", "pinnacle", "mim"),
    says="Sub-voxel, from probabilities: for treatment planning.",
)

EXACT = Profile(
    name="exact",
    level=0.51,  # vertices .49 px from a centre of the mask: rounding a vertex to whole pixels falls back onto it
    of_probability=None,
    of_mask=FieldRule(clamp=0.5, tolerance_px=0.001),
    blur_px=0.0,
    keeps_thin=True,
    says="Along voxel edges, the same mask even in readers that round vertices to pixels: for research tools.",
)

ECLIPSE = replace(
    CLINICAL,
    name="eclipse",
    systems=("eclipse",),
    codes=CodeContext(
        scheme="FMA",
        scheme_version="3.2",
        resource="99VMS",
        resource_uid="1.2.246.352.7.1.1",
        resource_name="Varian Medical Systems",
        group="VMS011",
        group_uid="1.2.246.352.7.2.11",
        group_version="20161209",
    ),
    says="Organs bear FMA codes in the form in which Eclipse 16.1 writes its Structure Codes.",
    source="https://github.com/rexcardan/Evil-DICOM/issues/104; the form is that of RS_Body_SpinalCord.dcm in"
    " https://github.com/brianmanderson/Dicom_RT_and_Images_to_Mask",
)

PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "clinical": CLINICAL,
        "exact": EXACT,
        "eclipse": ECLIPSE,
        **dict.fromkeys(CLINICAL.systems, CLINICAL),
    }
)
"""By the name that a peer or a command gives; several names may mean one profile, and then one file."""


def profile_named(name: str, appearances: Mapping[str, Appearance] = PLAIN) -> Profile:
    """Return the profile of a name in any capitals, with the site's appearances.

    Raises:
        StructureSetError: for a name that is not in the table.
    """
    profile = PROFILES.get(name.lower())
    if profile is None:
        raise StructureSetError(f"there is no profile {name!r}; there are {', '.join(PROFILES)}")
    return replace(profile, appearances=appearances)

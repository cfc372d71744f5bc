"""Whether slices make a series that can be contoured honestly, and every reason why not (pure).

The reasons stand in words in docs/completeness.md.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field

from segmentation.image_type import is_derived, is_localizer, is_secondary
from segmentation.slice_spacing import find_gaps
from segmentation.slice_stack import (
    SAME_PLACE_MM,
    Orientation,
    Point,
    SliceStack,
    is_orthonormal,
    is_same_orientation,
)

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
MULTI_FRAME_CT_STORAGE = frozenset({"1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"})
UNCOMPRESSED = frozenset({"", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"})  # "": not known, as of a data set alone
LOSSLESS = frozenset(f"1.2.840.10008.1.2.{tail}" for tail in ("4.57", "4.70", "4.80", "4.90", "5"))
MAYBE_LOSSY = frozenset({"1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.91"})  # decoded, but held as lossy
HOUNSFIELD_TYPES = frozenset({"", "HU", "HU_MOD", "US"})  # PS3.3 C.11.1.1.2; US is "unspecified", "" the default
MAX_VOXELS = 2**30  # 4096 slices of 512 x 512: 2 GiB, more than any planning CT
SAME_SPACING_MM = 1e-4  # over 512 pixels 0.05 mm
TILT_DEG = 0.5  # less is what the rounding of positions leaves on thin slices
SHIFT_MM = 1.0  # sideways, off the straight line through the stack
OBLIQUE_DEG = 5.0
STEEP_DEG = 25.0  # more, in the plane or out of it, and left and right can no longer be told (segmentation.orientation)
FEW_GAPS = 3  # that are named one by one


@dataclass(frozen=True)
class PixelFormat:
    """How the pixels of a slice are stored (PS3.3 C.7.6.3); None where absent or malformed."""

    samples_per_pixel: int | None
    photometric: str
    bits_allocated: int | None
    bits_stored: int | None
    high_bit: int | None
    pixel_representation: int | None
    number_of_frames: int

    @property
    def is_supported(self) -> bool:
        """Whether it is one grey sample of up to 16 bits, as the CT Image IOD demands (PS3.3 C.8.2.1.1)."""
        return (
            self.samples_per_pixel == 1
            and self.photometric in {"MONOCHROME1", "MONOCHROME2"}
            and self.bits_allocated == 16
            and self.bits_stored is not None
            and 1 <= self.bits_stored <= 16
            and self.high_bit == self.bits_stored - 1
            and self.pixel_representation in {0, 1}
        )


@dataclass(frozen=True)
class SliceHeader:
    """What the check looks at in one slice; text is empty, numbers are None where absent or malformed.

    Args:
        patient_id: only to see whether there is one and whether slices agree; never shown.
        patient_name: only to see whether slices agree; never shown.
        image_type: the values of Image Type, in capitals.
        pixel_spacing: mm, between rows and between columns.
        image_position: patient mm, of the centre of the first pixel.
        image_orientation: direction cosines of a row and of a column.
        gantry_tilt_deg: Gantry/Detector Tilt.
        lossy: Lossy Image Compression is 01.
        rescale: slope and intercept.
        rescale_type: unit of what the slope and intercept make.
        transfer_syntax_uid: of the file, empty where only the data set is known.
    """

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    study_instance_uid: str
    frame_of_reference_uid: str
    patient_id: str = field(repr=False)
    patient_name: str = field(repr=False)
    modality: str
    image_type: tuple[str, ...]
    rows: int | None
    columns: int | None
    pixel_spacing: tuple[float, float] | None
    image_position: Point | None
    image_orientation: Orientation | None
    gantry_tilt_deg: float | None
    lossy: bool
    rescale: tuple[float, float] | None
    rescale_type: str
    pixel_format: PixelFormat
    transfer_syntax_uid: str
    acquisition_number: int | None
    instance_number: int | None


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


Headers = Sequence[SliceHeader]


def check_series(headers: Headers, *, minimum_slices: int) -> tuple[Reason, ...]:
    """Return every reason to hold a series, none if it can be contoured honestly."""
    few = Reason(
        "too-few-slices",
        f"the series has {_count(len(headers), 'slice')}, fewer than {minimum_slices}",
        releasable=True,
    )
    rest = (reason for check in SERIES_CHECKS for reason in check(headers)) if headers else ()
    return (*check_volume(headers), *rest, *([few] if len(headers) < minimum_slices else []))


def check_volume(headers: Headers) -> tuple[Reason, ...]:
    """Return every reason why slices make no volume; none of them can be released."""
    if not headers:
        return (_never("no-slices", "there are no slices"),)
    return tuple(reason for check in VOLUME_CHECKS for reason in check(headers))


def majority_stack(headers: Headers) -> SliceStack | None:
    """Return the stack of the slices that share the most frequent orientation; None where none can be placed."""
    placed = [
        (header.image_position, header.image_orientation, header)
        for header in headers
        if header.image_position and header.image_orientation and is_orthonormal(header.image_orientation)
    ]
    if not placed:
        return None
    usual = Counter(orientation for _, orientation, _ in placed).most_common(1)[0][0]
    same = [item for item in placed if is_same_orientation(item[1], usual)]
    return SliceStack.of(usual, [(position, header.instance_number) for position, _, header in same])


def _never(code: str, text: str) -> Reason:
    return Reason(code, text, releasable=False)


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _share(count: int, headers: Headers) -> str:
    return "all slices" if count == len(headers) else f"{count} of {len(headers)} slices"


def _counted(
    code: str, says: str, is_so: Callable[[SliceHeader], bool], *, releasable: bool = False
) -> Callable[[Headers], Iterator[Reason]]:
    """Return a check that gives one reason if something is so of any slice; `says` follows "3 of 90 slices"."""

    def check(headers: Headers) -> Iterator[Reason]:
        if count := sum(map(is_so, headers)):
            yield Reason(code, f"{_share(count, headers)} {says}", releasable)

    return check


def _agreed(code: str, what: str, value: Callable[[SliceHeader], Hashable]) -> Callable[[Headers], Iterator[Reason]]:
    """Return a check that gives a reason if a value differs between slices."""

    def check(headers: Headers) -> Iterator[Reason]:
        counts = Counter(map(value, headers)).most_common()
        if len(counts) > 1:
            shares = ", ".join(str(count) for _, count in counts[:5]) + (", ..." if len(counts) > 5 else "")
            yield _never(code, f"the slices disagree on {what}: {len(counts)} different ones, of {shares} slices")

    return check


def _is_multi_frame(header: SliceHeader) -> bool:
    return header.sop_class_uid in MULTI_FRAME_CT_STORAGE or header.pixel_format.number_of_frames > 1


def _is_not_ct(header: SliceHeader) -> bool:
    return header.modality != "CT" or header.sop_class_uid not in {"", CT_IMAGE_STORAGE, *MULTI_FRAME_CT_STORAGE}


def _uids(header: SliceHeader) -> tuple[str, ...]:
    """Return what a structure set cannot refer to the slice without."""
    return header.sop_class_uid, header.sop_instance_uid, header.series_instance_uid, header.study_instance_uid


def _patient(header: SliceHeader) -> tuple[str, str]:
    """Return what tells a patient, whatever an exporter does to capitals and trailing carets of a name."""
    return header.patient_id, header.patient_name.strip(" ^=").casefold()


def _disagreeing_spacing(headers: Headers) -> Iterator[Reason]:
    known = [header.pixel_spacing for header in headers if header.pixel_spacing]
    for values in list(zip(*known, strict=True)):
        if max(values) - min(values) > SAME_SPACING_MM:
            text = f"the slices disagree on pixel spacing: from {min(values):.4g} to {max(values):.4g} mm"
            yield _never("mixed-pixel-spacing", text)
            return


def _disagreeing_orientation(headers: Headers) -> Iterator[Reason]:
    known = [header.image_orientation for header in headers if header.image_orientation]
    usual = Counter(known).most_common(1)[0][0] if known else None
    others = sum(not is_same_orientation(value, usual) for value in known if usual)
    if others:
        yield _never("mixed-orientation", f"{_share(others, headers)} are oriented otherwise than the rest")


def _repeated_uids(headers: Headers) -> Iterator[Reason]:
    counts = Counter(header.sop_instance_uid for header in headers if header.sop_instance_uid)
    if repeated := [count for count in counts.values() if count > 1]:
        text = f"{_count(len(repeated), 'SOP Instance UID')} used more than once, by {sum(repeated)} slices together"
        yield _never("duplicate-uid", text)


def _repeated_positions(headers: Headers) -> Iterator[Reason]:
    stack = majority_stack(headers)
    if stack and stack.repeated_mm:
        acquisitions = len({header.acquisition_number for header in headers} - {None})
        text = (
            f"more than one slice lies at {_count(len(stack.repeated_mm), 'place')} (within {SAME_PLACE_MM:g} mm), "
            f"the first at {stack.repeated_mm[0]:.1f} mm"
        )
        more = f"; the series holds {acquisitions} acquisitions" if acquisitions > 1 else ""
        yield _never("duplicate-position", text + more)


def _too_many_voxels(headers: Headers) -> Iterator[Reason]:
    voxels = sum((header.rows or 0) * (header.columns or 0) for header in headers)
    if voxels > MAX_VOXELS:
        yield _never("too-large", f"the slices declare {voxels / 1e6:.0f} million voxels, more than a CT has")


def _gaps(headers: Headers) -> Iterator[Reason]:
    stack = majority_stack(headers)
    gaps = find_gaps(stack.positions_mm, stack.instance_numbers) if stack else ()
    if not gaps:
        return
    places = [
        f"between {gap.below_mm:.1f} and {gap.above_mm:.1f} mm ({gap.above_mm - gap.below_mm:.1f} mm apart, where "
        f"{' and '.join(f'{usual:.1f}' for usual in gap.usual_mm)} mm are usual)"
        for gap in gaps[:FEW_GAPS]
    ]
    more = f" and at {len(gaps) - FEW_GAPS} more places" if len(gaps) > FEW_GAPS else ""
    count = sum(gap.missing for gap in gaps)
    seem = "1 slice seems" if count == 1 else f"{count} slices seem"
    yield Reason("missing-slice", f"{seem} to be missing {', '.join(places)}{more}", releasable=True)


def _directions(headers: Headers) -> Iterator[Reason]:
    """Yield what is wrong with how the planes lie in the patient and above one another."""
    stack = majority_stack(headers)
    if stack is None:
        return
    if stack.steepness_deg > STEEP_DEG:
        text = f"the slices are not axial but sagittal, coronal or oblique, {stack.steepness_deg:.0f} degrees off axial"
        yield _never("not-axial", text)
    elif stack.shear_deg > TILT_DEG:
        text = f"the gantry was tilted by {stack.shear_deg:.1f} degrees: slices do not lie straight above one another"
        yield _never("gantry-tilt", text)
    elif stack.steepness_deg > OBLIQUE_DEG:
        text = f"the slices are oblique, {stack.steepness_deg:.1f} degrees off axial"
        yield Reason("oblique", text, releasable=True)
    elif STEEP_DEG < stack.rotation_deg < 90 - STEEP_DEG:
        yield _never("turned", f"the rows of the slices run {stack.rotation_deg:.0f} degrees off left-right")
    elif stack.rotation_deg >= 90 - STEEP_DEG:
        text = "the rows of the slices run from front to back, as of a patient who lies on the side"
        yield Reason("on-the-side", text, releasable=True)
    if stack.shift_mm > SHIFT_MM:
        yield _never(
            "shifted-slices", f"slices are shifted sideways against one another by up to {stack.shift_mm:.1f} mm"
        )


def _stated_tilt(headers: Headers) -> Iterator[Reason]:
    """Yield a tilt that the header states and the positions do not show: either may be the wrong one."""
    stack = majority_stack(headers)
    tilts = [abs(header.gantry_tilt_deg) for header in headers if header.gantry_tilt_deg is not None]
    if tilts and max(tilts) > TILT_DEG and not (stack and stack.shear_deg > TILT_DEG):
        text = f"the header states a gantry tilt of {max(tilts):.1f} degrees, which the slices' positions do not show"
        yield Reason("gantry-tilt-stated", text, releasable=True)


VOLUME_CHECKS: tuple[Callable[[Headers], Iterator[Reason]], ...] = (
    _counted("not-ct", "are not CT images", _is_not_ct),
    _counted("multi-frame", "are multi-frame (enhanced) CT, which is not supported", _is_multi_frame),
    _counted(
        "pixel-format",
        "have pixels that are not one grey value of up to 16 bits",
        lambda header: not header.pixel_format.is_supported,
    ),
    _counted(
        "transfer-syntax",
        "are compressed in a way that is not supported",
        lambda header: header.transfer_syntax_uid not in UNCOMPRESSED | LOSSLESS | MAYBE_LOSSY,
    ),
    _counted("no-rescale", "have no readable Rescale Slope and Intercept", lambda header: header.rescale is None),
    _counted(
        "not-hounsfield",
        "hold another quantity than Hounsfield units",
        lambda header: header.rescale_type not in HOUNSFIELD_TYPES,
    ),
    _counted("no-matrix", "have no readable Rows and Columns", lambda header: not (header.rows and header.columns)),
    _counted("no-position", "have no readable Image Position", lambda header: header.image_position is None),
    _counted("no-orientation", "have no readable Image Orientation", lambda header: header.image_orientation is None),
    _counted(
        "bad-orientation",
        "have an Image Orientation whose directions are not orthogonal unit vectors",
        lambda header: header.image_orientation is not None and not is_orthonormal(header.image_orientation),
    ),
    _counted("no-pixel-spacing", "have no readable Pixel Spacing", lambda header: header.pixel_spacing is None),
    _agreed("mixed-patient", "the patient", _patient),
    _agreed("mixed-study", "the study", lambda header: header.study_instance_uid),
    _agreed("mixed-series", "the series", lambda header: header.series_instance_uid),
    _agreed("mixed-frame-of-reference", "the frame of reference", lambda header: header.frame_of_reference_uid),
    _agreed("mixed-matrix", "the matrix (rows and columns)", lambda header: (header.rows, header.columns)),
    _disagreeing_spacing,
    _disagreeing_orientation,
    _repeated_uids,
    _repeated_positions,
    _too_many_voxels,
)

SERIES_CHECKS: tuple[Callable[[Headers], Iterator[Reason]], ...] = (
    _counted("localizer", "are localizers", lambda header: is_localizer(header.image_type)),
    _counted(
        "secondary-image", "are secondary images", lambda header: is_secondary(header.image_type), releasable=True
    ),
    _counted(
        "derived-image",
        "are derived images other than an axial CT",
        lambda header: is_derived(header.image_type),
        releasable=True,
    ),
    _counted(
        "lossy",
        "were compressed with loss",
        lambda header: header.lossy or header.transfer_syntax_uid in MAYBE_LOSSY,
        releasable=True,
    ),
    _counted("no-patient-id", "have an empty Patient ID", lambda header: not header.patient_id),
    _counted(
        "no-uid",
        "have no SOP Class, SOP Instance, Series Instance or Study Instance UID",
        lambda header: "" in _uids(header),
    ),
    _counted(
        "no-frame-of-reference", "have no Frame of Reference UID", lambda header: not header.frame_of_reference_uid
    ),
    _directions,
    _stated_tilt,
    _gaps,
)

"""Whether slices make a series that can be contoured honestly, and every reason why not (pure).

The reasons stand in words in docs/completeness.md.
"""

from collections.abc import Iterator

from segmentation.hold_reason import Check, Reason, counted, never, plural
from segmentation.image_type import is_derived, is_localizer, is_secondary
from segmentation.slice_header import Headers, PixelFormat, SliceHeader
from segmentation.slice_spacing import find_gaps
from segmentation.volume_check import CT_IMAGE_STORAGE, MAYBE_LOSSY, check_volume, majority_stack

# One door to the check and what goes in and out.
__all__ = ["CT_IMAGE_STORAGE", "PixelFormat", "Reason", "SliceHeader", "check_series"]

TILT_DEG = 0.5  # less is what the rounding of positions leaves on thin slices
SHIFT_MM = 1.0  # sideways, off the straight line through the stack
OBLIQUE_DEG = 5.0
STEEP_DEG = 25.0  # more, in the plane or out of it, and left and right can no longer be told (segmentation.orientation)
FEW_GAPS = 3  # that are named one by one


def check_series(headers: Headers, *, minimum_slices: int) -> tuple[Reason, ...]:
    """Return every reason to hold a series, none if it can be contoured honestly."""
    few = Reason(
        "too-few-slices",
        f"the series has {plural(len(headers), 'slice')}, fewer than {minimum_slices}",
        releasable=True,
    )
    rest = (reason for check in SERIES_CHECKS for reason in check(headers)) if headers else ()
    return (*check_volume(headers), *rest, *([few] if len(headers) < minimum_slices else []))


def _uids(header: SliceHeader) -> tuple[str, ...]:
    """Return what a structure set cannot refer to the slice without."""
    return header.sop_class_uid, header.sop_instance_uid, header.series_instance_uid, header.study_instance_uid


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
        yield never("not-axial", text)
    elif stack.shear_deg > TILT_DEG:
        text = f"the gantry was tilted by {stack.shear_deg:.1f} degrees: slices do not lie straight above one another"
        yield never("gantry-tilt", text)
    elif stack.steepness_deg > OBLIQUE_DEG:
        text = f"the slices are oblique, {stack.steepness_deg:.1f} degrees off axial"
        yield Reason("oblique", text, releasable=True)
    elif STEEP_DEG < stack.rotation_deg < 90 - STEEP_DEG:
        yield never("turned", f"the rows of the slices run {stack.rotation_deg:.0f} degrees off left-right")
    elif stack.rotation_deg >= 90 - STEEP_DEG:
        text = "the rows of the slices run from front to back, as of a patient who lies on the side"
        yield Reason("on-the-side", text, releasable=True)
    if stack.shift_mm > SHIFT_MM:
        yield never(
            "shifted-slices", f"slices are shifted sideways against one another by up to {stack.shift_mm:.1f} mm"
        )


def _stated_tilt(headers: Headers) -> Iterator[Reason]:
    """Yield a tilt that the header states and the positions do not show: either may be the wrong one."""
    stack = majority_stack(headers)
    tilts = [abs(header.gantry_tilt_deg) for header in headers if header.gantry_tilt_deg is not None]
    if tilts and max(tilts) > TILT_DEG and not (stack and stack.shear_deg > TILT_DEG):
        text = f"the header states a gantry tilt of {max(tilts):.1f} degrees, which the slices' positions do not show"
        yield Reason("gantry-tilt-stated", text, releasable=True)


SERIES_CHECKS: tuple[Check, ...] = (
    counted("localizer", "are localizers", lambda header: is_localizer(header.image_type)),
    counted("secondary-image", "are secondary images", lambda header: is_secondary(header.image_type), releasable=True),
    counted("derived-image", "are derived images", lambda header: is_derived(header.image_type), releasable=True),
    counted(
        "lossy",
        "were compressed with loss",
        lambda header: header.lossy or header.transfer_syntax_uid in MAYBE_LOSSY,
        releasable=True,
    ),
    counted("no-patient-id", "have an empty Patient ID", lambda header: not header.patient_id),
    counted(
        "no-uid",
        "have no SOP Class, SOP Instance, Series Instance or Study Instance UID",
        lambda header: "" in _uids(header),
    ),
    counted(
        "no-frame-of-reference", "have no Frame of Reference UID", lambda header: not header.frame_of_reference_uid
    ),
    _directions,
    _stated_tilt,
    _gaps,
)

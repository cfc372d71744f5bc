"""Whether slices make one volume in HU, and every reason why not (pure)."""

from collections import Counter
from collections.abc import Iterator

from segmentation.hold_reason import Check, Reason, agreed, counted, never, plural, share
from segmentation.slice_header import Headers, SliceHeader
from segmentation.slice_stack import SAME_PLACE_MM, SliceStack, is_orthonormal, is_same_orientation

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
MULTI_FRAME_CT_STORAGE = frozenset({"1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"})
UNCOMPRESSED = frozenset({"", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"})  # "": not known, as of a data set alone
LOSSLESS = frozenset(f"1.2.840.10008.1.2.{tail}" for tail in ("4.57", "4.70", "4.80", "4.90", "5"))
MAYBE_LOSSY = frozenset({"1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.91"})  # decoded, but held as lossy
HOUNSFIELD_TYPES = frozenset({"", "HU", "HU_MOD", "US"})  # PS3.3 C.11.1.1.2; US is "unspecified", "" the default
MAX_VOXELS = 2**30  # 4096 slices of 512 x 512: 2 GiB, more than any planning CT
SAME_SPACING_MM = 1e-4  # over 512 pixels 0.05 mm


def check_volume(headers: Headers) -> tuple[Reason, ...]:
    """Return every reason why slices make no volume; none of them can be released."""
    if not headers:
        return (never("no-slices", "there are no slices"),)
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


def _is_multi_frame(header: SliceHeader) -> bool:
    return header.sop_class_uid in MULTI_FRAME_CT_STORAGE or header.pixel_format.number_of_frames > 1


def _is_not_ct(header: SliceHeader) -> bool:
    return header.modality != "CT" or header.sop_class_uid not in {"", CT_IMAGE_STORAGE, *MULTI_FRAME_CT_STORAGE}


def _patient(header: SliceHeader) -> tuple[str, str]:
    """Return what tells a patient, whatever an exporter does to capitals and trailing carets of a name."""
    return header.patient_id, header.patient_name.strip(" ^=").casefold()


def _disagreeing_spacing(headers: Headers) -> Iterator[Reason]:
    known = [header.pixel_spacing for header in headers if header.pixel_spacing]
    for values in zip(*known, strict=True):
        if max(values) - min(values) > SAME_SPACING_MM:
            text = f"the slices disagree on pixel spacing: from {min(values):.4g} to {max(values):.4g} mm"
            yield never("mixed-pixel-spacing", text)
            return


def _disagreeing_orientation(headers: Headers) -> Iterator[Reason]:
    known = [header.image_orientation for header in headers if header.image_orientation]
    usual = Counter(known).most_common(1)[0][0] if known else None
    others = sum(not is_same_orientation(value, usual) for value in known if usual)
    if others:
        yield never("mixed-orientation", f"{share(others, headers)} are oriented otherwise than the rest")


def _repeated_uids(headers: Headers) -> Iterator[Reason]:
    counts = Counter(header.sop_instance_uid for header in headers if header.sop_instance_uid)
    if repeated := [count for count in counts.values() if count > 1]:
        text = f"{plural(len(repeated), 'SOP Instance UID')} used more than once, by {sum(repeated)} slices together"
        yield never("duplicate-uid", text)


def _repeated_positions(headers: Headers) -> Iterator[Reason]:
    stack = majority_stack(headers)
    if stack and stack.repeated_mm:
        acquisitions = len({header.acquisition_number for header in headers} - {None})
        text = (
            f"more than one slice lies at {plural(len(stack.repeated_mm), 'place')} (within {SAME_PLACE_MM:g} mm), "
            f"the first at {stack.repeated_mm[0]:.1f} mm"
        )
        more = f"; the series holds {acquisitions} acquisitions" if acquisitions > 1 else ""
        yield never("duplicate-position", text + more)


def _too_many_voxels(headers: Headers) -> Iterator[Reason]:
    voxels = sum((header.rows or 0) * (header.columns or 0) for header in headers)
    if voxels > MAX_VOXELS:
        yield never("too-large", f"the slices declare {voxels / 1e6:.0f} million voxels, more than a CT has")


VOLUME_CHECKS: tuple[Check, ...] = (
    counted("not-ct", "are not CT images", _is_not_ct),
    counted("multi-frame", "are multi-frame (enhanced) CT, which is not supported", _is_multi_frame),
    counted(
        "pixel-format",
        "have pixels that are not one grey value of up to 16 bits",
        lambda header: not header.pixel_format.is_supported,
    ),
    counted(
        "transfer-syntax",
        "are compressed in a way that is not supported",
        lambda header: header.transfer_syntax_uid not in UNCOMPRESSED | LOSSLESS | MAYBE_LOSSY,
    ),
    counted("no-rescale", "have no readable Rescale Slope and Intercept", lambda header: header.rescale is None),
    counted(
        "not-hounsfield",
        "hold another quantity than Hounsfield units",
        lambda header: header.rescale_type not in HOUNSFIELD_TYPES,
    ),
    counted("no-matrix", "have no readable Rows and Columns", lambda header: not (header.rows and header.columns)),
    counted("no-position", "have no readable Image Position", lambda header: header.image_position is None),
    counted("no-orientation", "have no readable Image Orientation", lambda header: header.image_orientation is None),
    counted(
        "bad-orientation",
        "have an Image Orientation whose directions are not orthogonal unit vectors",
        lambda header: header.image_orientation is not None and not is_orthonormal(header.image_orientation),
    ),
    counted("no-pixel-spacing", "have no readable Pixel Spacing", lambda header: header.pixel_spacing is None),
    agreed("mixed-patient", "the patient", _patient),
    agreed("mixed-study", "the study", lambda header: header.study_instance_uid),
    agreed("mixed-series", "the series", lambda header: header.series_instance_uid),
    agreed("mixed-frame-of-reference", "the frame of reference", lambda header: header.frame_of_reference_uid),
    agreed("mixed-matrix", "the matrix (rows and columns)", lambda header: (header.rows, header.columns)),
    _disagreeing_spacing,
    _disagreeing_orientation,
    _repeated_uids,
    _repeated_positions,
    _too_many_voxels,
)

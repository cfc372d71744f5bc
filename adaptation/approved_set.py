"""An approved structure set with its CT, read as a case; what is wrong with either is a fault in words, no error."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError

from adaptation.edits import Sent
from adaptation.errors import CaseError
from adaptation.labelled_ct import LabelledCt
from segmentation.ct import CtSeries, read_ct_series
from segmentation.ct_header import parse_slice_header
from segmentation.errors import SegmentationError
from segmentation.names import NO_OWN_NAMES, OwnNames, match_name
from segmentation.organ_mask import OrganMask
from segmentation.rtstruct_reader import RoiReading, read_structure_set
from segmentation.rtstruct_summary import number_of, text_of
from segmentation.series_check import check_series

SCANNER = ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "StationName")
FEW = 2  # reasons of one ROI that are said, where each contour may have one


@dataclass(frozen=True)
class ApprovedFiles:
    """Where an approved structure set and its CT lie.

    Args:
        structure_set: the file.
        slices: of the CT series, in any order.
        own: the site's own names of organs.
        minimum_slices: a series of fewer is a fault.
    """

    structure_set: Path
    slices: tuple[Path, ...]
    own: OwnNames = field(default_factory=lambda: NO_OWN_NAMES)
    minimum_slices: int = 1


@dataclass(frozen=True, eq=False)
class ApprovedSet:
    """A case as it was read.

    Args:
        ct: the CT.
        organs: TG-263 name to mask; an organ that is not here was not drawn.
        algorithms: ROI Generation Algorithm of each.
        faults: why it must not be learnt from before a person has looked.
        notes: what is good to know and no fault.
        scanner: what names the scanner; not to be kept as it is.
    """

    ct: CtSeries
    organs: dict[str, OrganMask]
    algorithms: dict[str, str]
    faults: tuple[str, ...]
    notes: tuple[str, ...]
    scanner: str

    def labelled(self) -> LabelledCt:
        """Return the CT with its organs at full size."""
        return LabelledCt(self.ct.volume, {name: organ.full() for name, organ in self.organs.items()}, self.notes)


def read_approved_set(files: ApprovedFiles) -> ApprovedSet:
    """Return an approved structure set on its CT.

    Raises:
        CaseError: the CT makes no volume, or the structure set cannot be read or is of another frame of reference.
    """
    try:
        ct = read_ct_series(files.slices)
        ds = dcmread(files.structure_set)
        rois = read_structure_set(ds, ct.headers, ct.volume.grid).rois
    except SegmentationError as error:
        raise CaseError(str(error)) from error
    except (InvalidDicomError, OSError, ValueError) as error:  # whose text may hold a value of the header
        raise CaseError(f"structure set or CT cannot be read: {type(error).__name__}") from error
    of_organ, unclear = _organs_of(rois, files.own)
    drawn = {organ: roi.mask for organ, roi in of_organ.items() if roi.mask is not None}
    by_number = {
        number_of(roi, "ROINumber"): text_of(roi, "ROIGenerationAlgorithm")
        for roi in ds.get("StructureSetROISequence") or []
    }
    headers = [parse_slice_header(header) for header in ct.headers]
    incomplete = [reason.text for reason in check_series(headers, minimum_slices=files.minimum_slices)]
    return ApprovedSet(
        ct,
        drawn,
        {organ: by_number.get(of_organ[organ].number, "") for organ in drawn},
        (*_of_another(ds, ct.headers), *incomplete, *unclear, *_refused(of_organ)),
        tuple(f"{organ} has contours and no voxel on the CT" for organ in of_organ if organ not in drawn),
        "\n".join(text_of(ct.headers[0], name) for name in SCANNER),
    )


def read_sent(path: Path, model_digest: str, ct: CtSeries, own: OwnNames) -> Sent | None:
    """Return a structure set that we sent of this CT; None where the file cannot be read on it any more."""
    try:
        rois = read_structure_set(dcmread(path), ct.headers, ct.volume.grid).rois
    except (SegmentationError, InvalidDicomError, OSError, ValueError):
        return None
    of_organ, _ = _organs_of(rois, own)
    return Sent(model_digest, {organ: roi.mask for organ, roi in of_organ.items() if roi.mask is not None})


def _organs_of(rois: Sequence[RoiReading], own: OwnNames) -> tuple[dict[str, RoiReading], list[str]]:
    """Return the one ROI of each organ, and for which organs that is unclear; a ROI without contours is no rival."""
    claims = [(organ, roi) for roi in rois if _is_drawn(roi) and (organ := match_name(roi.name, own).organ)]
    counts = Counter(organ for organ, _ in claims)
    unclear = [
        f"{count} ROIs are named for {organ}: which one is meant is unclear"
        for organ, count in counts.items()
        if count > 1
    ]
    return {organ: roi for organ, roi in claims if counts[organ] == 1}, unclear


def _is_drawn(roi: RoiReading) -> bool:
    return bool(roi.contours or roi.reasons)


def _refused(of_organ: dict[str, RoiReading]) -> list[str]:
    """Return why ROIs of organs cannot be placed on the CT."""
    faults = []
    for organ, roi in of_organ.items():
        more = f", and {len(roi.reasons) - FEW} more" if len(roi.reasons) > FEW else ""
        if roi.reasons:
            faults.append(f"{organ}: {'; '.join(roi.reasons[:FEW])}{more}")
    return faults


def _of_another(ds: Dataset, headers: Sequence[Dataset]) -> list[str]:
    """Return whether the structure set names another patient than the CT; the names themselves are said nowhere."""
    patients = {text_of(header, "PatientID") for header in headers}
    if not text_of(ds, "PatientID"):
        return ["the structure set has no Patient ID: whose it is is unknown"]
    return [] if patients == {text_of(ds, "PatientID")} else ["structure set and CT have different Patient IDs"]

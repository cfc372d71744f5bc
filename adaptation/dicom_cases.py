"""CT series and the structure sets that were drawn on them, found in a folder of DICOM files in any layout."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError

from adaptation.errors import CaseError
from adaptation.labelled_ct import Case, Found, LabelledCt, LeftOut
from segmentation.ct import read_ct_series
from segmentation.ct_header import UNREADABLE
from segmentation.errors import SegmentationError, StructureSetError
from segmentation.names import NO_OWN_NAMES, OwnNames, match_names
from segmentation.rtstruct_reader import read_structure_set
from segmentation.rtstruct_summary import StructureSetSummary, summarise, text_of
from segmentation.series_check import CT_IMAGE_STORAGE

RT_STRUCTURE_SET_STORAGE = "1.2.840.10008.5.1.4.1.1.481.3"
HEADER = ["SOPClassUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID", "PatientID"]
GROUP = "patients"
RIVAL = "of the same CT another one is taken: with organs to learn from, approved, or newer"
BY_A_PROGRAM = "was drawn by a program and approved by nobody"


@dataclass(frozen=True, eq=False)
class _Ct:
    """A CT series: its files, frame of reference, and whose it is."""

    uid: str
    frame: str
    patient: str
    paths: list[Path]


@dataclass(frozen=True, eq=False)
class _Drawing:
    """A structure set: its file, what it says, and when it was made."""

    path: Path
    ds: Dataset
    summary: StructureSetSummary

    @property
    def rank(self) -> tuple[bool, str]:
        """The larger one of two on the same CT is taken: what is approved, then what is newer."""
        when = f"{self.ds.get('StructureSetDate') or ''}{self.ds.get('StructureSetTime') or ''}"
        return self.summary.approval_status == "APPROVED", when


def find_dicom_cases(folder: Path, own: OwnNames = NO_OWN_NAMES, *, automatic: bool = False) -> Found:
    """Return a case for each CT series on which organs were drawn, and why the rest is none.

    Args:
        folder: looked through with all folders in it.
        own: the site's own names of organs.
        automatic: take what a program drew and nobody approved.
    """
    series, drawings = _read_headers(folder)
    left_out: list[LeftOut] = []
    of_series: dict[str, list[_Drawing]] = {}
    for drawing in drawings:
        where = str(drawing.path.relative_to(folder))
        candidates = _series_of(drawing, series)
        if len(candidates) != 1:
            many = f"{len(candidates)} CT series of it are in the folder: which is meant is unclear"
            left_out.append(LeftOut(where, many if candidates else "the CT that it was drawn on is not in the folder"))
        elif drawing.summary.approval_status == "REJECTED":
            left_out.append(LeftOut(where, "its Approval Status is REJECTED"))
        else:
            of_series.setdefault(candidates[0], []).append(drawing)
    cases, unused = [], Counter[str]()
    for uid, rivals in sorted(of_series.items()):
        readings = {each.path: _Reading(each.path, tuple(series[uid].paths), own, automatic) for each in rivals}
        # What the node drew itself is newer than what a physician drew before, and must not hide it.
        *others, chosen = sorted(
            rivals, key=lambda each: (bool(_organs_of(each.ds, readings[each.path])[0]), each.rank)
        )
        left_out += [LeftOut(str(each.path.relative_to(folder)), RIVAL) for each in others]
        reading = readings[chosen.path]
        organs, notes = _organs_of(chosen.ds, reading)
        unused.update({roi.name for roi in chosen.summary.rois if roi.contours} - set(organs.values()))
        if organs:
            name, patient = f"ct-{_pseudonym(uid)}", f"patient-{_pseudonym(series[uid].patient or uid)}"
            cases.append(Case(name, GROUP, partial(read_dicom_case, reading), tuple(organs), patient, str(chosen.path)))
        else:
            none = f"none of its ROIs with contours is one of the organs{''.join(f'; {note}' for note in notes)}"
            left_out.append(LeftOut(str(chosen.path.relative_to(folder)), none))
    for ct in series.values():
        if ct.uid not in of_series:
            left_out.append(LeftOut(str(ct.paths[0].parent.relative_to(folder)), "a CT on which nothing was drawn"))
    return Found(tuple(cases), tuple(left_out), unused)


@dataclass(frozen=True)
class _Reading:
    """What a case is read from, and how its names are understood."""

    structure_set: Path
    slices: tuple[Path, ...]
    own: OwnNames
    automatic: bool


def read_dicom_case(reading: _Reading) -> LabelledCt:
    """Return a CT with its organs; a ROI that cannot be placed, or whose name is unclear, is in the notes.

    Raises:
        CaseError: where the CT or the structure set cannot be read, or no organ is left.
    """
    try:
        ct = read_ct_series(reading.slices)
        ds = dcmread(reading.structure_set)
        masks = read_structure_set(ds, ct.headers, ct.volume.grid)
    except (SegmentationError, InvalidDicomError, OSError, *UNREADABLE) as error:
        raise CaseError(str(error)) from error
    organs, notes = _organs_of(ds, reading)
    # A namesake without contours is no rival: `match_names` was not asked about it.
    of_roi = {roi.name: roi for roi in sorted(masks.rois, key=lambda roi: (bool(roi.reasons), roi.contours))}
    notes += [
        f"{of_roi[name].name}: {'; '.join(of_roi[name].reasons)}" for name in organs.values() if of_roi[name].reasons
    ]
    drawn = {organ: mask.full() for organ, name in organs.items() if (mask := of_roi[name].mask) is not None}
    if not drawn:
        raise CaseError(f"no organ could be read: {'; '.join(notes) or 'none has a voxel on the CT'}")
    return LabelledCt(ct.volume, drawn, tuple(notes))


def _read_headers(folder: Path) -> tuple[dict[str, _Ct], list[_Drawing]]:
    """Return the CT series by UID, and the structure sets; other files are passed over."""
    series: dict[str, _Ct] = {}
    drawings = []
    known: set[str] = set()  # instances: a copy of a file is no second slice
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            ds = dcmread(path, specific_tags=HEADER, stop_before_pixels=True)
            kind, instance = str(ds.get("SOPClassUID") or ""), str(ds.get("SOPInstanceUID") or "")
            if instance in known:
                continue
            known |= {instance} - {""}
            if kind == CT_IMAGE_STORAGE:
                uid = str(ds.get("SeriesInstanceUID") or "")
                frame = str(ds.get("FrameOfReferenceUID") or "")
                ct = series.setdefault(uid, _Ct(uid, frame, str(ds.get("PatientID") or ""), []))
                ct.paths.append(path)
            elif kind == RT_STRUCTURE_SET_STORAGE:
                whole = dcmread(path)
                drawings.append(_Drawing(path, _without_contours(whole), summarise(whole)))
        except (InvalidDicomError, StructureSetError, EOFError, *UNREADABLE):
            continue
    return series, drawings


def _without_contours(ds: Dataset) -> Dataset:
    """Return a structure set whose contours are no longer held, only counted: there may be hundreds of them."""
    for item in ds.get("ROIContourSequence") or []:
        for contour in item.get("ContourSequence") or []:
            if "ContourData" in contour:
                del contour.ContourData
    return ds


def _series_of(drawing: _Drawing, series: dict[str, _Ct]) -> list[str]:
    """Return the CT series that a structure set refers to, else those of its frame of reference."""
    named = [uid for uid in drawing.summary.referenced_series_uids if uid in series]
    if named or drawing.summary.referenced_series_uids:
        return list(dict.fromkeys(named))
    frames = {
        str(roi.get("ReferencedFrameOfReferenceUID") or "") for roi in drawing.ds.get("StructureSetROISequence") or []
    }
    return [uid for uid, ct in series.items() if ct.frame and ct.frame in frames]


def _organs_of(ds: Dataset, reading: _Reading) -> tuple[dict[str, str], list[str]]:
    """Return organ to ROI name, and why other ROIs that look like organs are not taken."""
    summary = summarise(ds)
    approved = summary.approval_status == "APPROVED"
    by_program = {
        text_of(roi, "ROIName")
        for roi in ds.get("StructureSetROISequence") or []
        if str(roi.get("ROIGenerationAlgorithm") or "") == "AUTOMATIC"
    }
    matches = match_names([roi.name for roi in summary.rois if roi.contours], reading.own)
    organs, notes = {}, []
    for name, match in matches.items():
        if match.organ and name in by_program and not (approved or reading.automatic):
            notes.append(f"{name} {BY_A_PROGRAM}")
        elif match.organ:
            organs[match.organ] = name
        elif "unclear" in match.reason:
            notes.append(f"{name}: {match.reason}")
    return organs, notes


def _pseudonym(text: str) -> str:
    """Return ten letters that stand for a UID or an identity; the same for the same."""
    return hashlib.sha256(text.encode()).hexdigest()[:10]

"""Rules of the lint that hold a structure set against its CT (pure)."""

from collections.abc import Iterator

import numpy as np

from segmentation.lint_rule import Fault, Rule, Severity
from segmentation.lint_subject import Subject
from segmentation.lint_values import encodings_of, items_of, places, text_of

OUTSIDE_PX = 1.0  # beyond the outermost pixels' edges
AXIAL = 1e-6  # of a direction cosine
PATIENT = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "IssuerOfPatientID")
STUDY = ("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName")
IMAGES = (
    "ReferencedFrameOfReferenceSequence",
    "RTReferencedStudySequence",
    "RTReferencedSeriesSequence",
    "ContourImageSequence",
)


def _other_values(subject: Subject, keywords: tuple[str, ...]) -> Iterator[str]:
    """Yield the keywords whose value is not the CT's; the values themselves stay untold."""
    if subject.ct is None:
        return
    header = subject.ct.headers[0]
    encodings = encodings_of(header)
    for keyword in keywords:
        here, there = text_of(subject.ds, keyword, subject.encodings), text_of(header, keyword, encodings)
        # Trailing empty components of a name are no difference, PS3.5 6.2.1.
        if here.rstrip("^= ") != there.rstrip("^= "):
            yield keyword


def _patient(subject: Subject) -> Iterator[Fault]:
    for keyword in _other_values(subject, PATIENT):
        yield keyword, "It is not what the CT has: a TPS takes that for another patient."


def _study(subject: Subject) -> Iterator[Fault]:
    for keyword in _other_values(subject, ("StudyInstanceUID",)):
        yield keyword, "The structure set is in another study than the CT."


def _study_attributes(subject: Subject) -> Iterator[Fault]:
    if not any(_other_values(subject, ("StudyInstanceUID",))):
        for keyword in _other_values(subject, STUDY):
            yield keyword, "It is not what the CT of the same study has."


def _frame(subject: Subject) -> Iterator[Fault]:
    if subject.ct is None:
        return
    wanted = text_of(subject.ct.headers[0], "FrameOfReferenceUID")
    own = text_of(subject.ds, "FrameOfReferenceUID")
    if own and own != wanted:
        yield "FrameOfReferenceUID", "It is not the CT's frame of reference."
    for path, roi in places(subject.ds, ("StructureSetROISequence",)):
        if text_of(roi, "ReferencedFrameOfReferenceUID") not in {"", wanted}:
            yield f"{path}ReferencedFrameOfReferenceUID", "It is not the CT's frame of reference."


def _series(subject: Subject) -> Iterator[Fault]:
    if subject.ct is None:
        return
    wanted = text_of(subject.ct.headers[0], "SeriesInstanceUID")
    found = [text_of(item, "SeriesInstanceUID") for _, item in places(subject.ds, IMAGES[:3])]
    if found and wanted not in found:
        yield ".".join(f"{name}[0]" for name in IMAGES[:3]) + ".SeriesInstanceUID", "It is not the CT's series."


def _listed_images(subject: Subject) -> Iterator[Fault]:
    if subject.ct is None:
        return
    for path, image in places(subject.ds, IMAGES):
        if text_of(image, "ReferencedSOPInstanceUID") not in subject.ct.index_of_uid:
            yield f"{path}ReferencedSOPInstanceUID", "The CT does not have this image."


def _unlisted_slices(subject: Subject) -> Iterator[Fault]:
    if subject.ct is None:
        return
    listed = {text_of(image, "ReferencedSOPInstanceUID") for _, image in places(subject.ds, IMAGES)}
    missing = len(subject.ct.index_of_uid.keys() - listed)
    if missing:
        said = f"{missing} of the CT's {len(subject.ct.headers)} slices are not listed."
        yield ".".join(f"{name}[0]" for name in IMAGES[:3]) + ".ContourImageSequence", said


def _off_plane(subject: Subject) -> Iterator[Fault]:
    if subject.placed is None:
        return
    tolerated_mm = subject.placed.ct.off_plane_mm
    for contour, off_mm in zip(subject.placed.closed.contours, subject.placed.off_mm, strict=True):
        if not off_mm <= tolerated_mm:
            said = f"A point lies {off_mm:.2f} mm off the nearest slice; {tolerated_mm:.2f} mm are tolerated."
            yield f"{contour.path}.ContourData", said


def _outside(subject: Subject) -> Iterator[Fault]:
    if subject.placed is None:
        return
    closed, row_column = subject.placed.closed, subject.placed.row_column
    beyond = np.array(subject.placed.ct.shape) - 0.5 + OUTSIDE_PX
    outside = np.any((row_column < -0.5 - OUTSIDE_PX) | (row_column > beyond), axis=1)
    counts = np.add.reduceat(outside.astype(np.intp), closed.starts)
    for contour, count, points in zip(closed.contours, counts, closed.lengths, strict=True):
        if count:
            yield f"{contour.path}.ContourData", f"{count} of its {points} points lie outside the image."


def _image_unknown(subject: Subject) -> Iterator[Fault]:
    if subject.ct is None:
        return
    for contour in subject.every_contour:
        for index, uid in enumerate(contour.image_uids):
            if uid not in subject.ct.index_of_uid:
                path = f"{contour.path}.ContourImageSequence[{index}].ReferencedSOPInstanceUID"
                yield path, "The CT does not have the image that the contour was drawn on."


def _image_class(subject: Subject) -> Iterator[Fault]:
    if subject.ct is None:
        return
    for contour in subject.every_contour:
        for index, image in enumerate(items_of(contour.item, "ContourImageSequence")):
            known = subject.ct.index_of_uid.get(text_of(image, "ReferencedSOPInstanceUID"))
            stated = text_of(image, "ReferencedSOPClassUID")
            if known is not None and stated != text_of(subject.ct.headers[known], "SOPClassUID"):
                path = f"{contour.path}.ContourImageSequence[{index}].ReferencedSOPClassUID"
                yield path, "It is not the SOP class of the image."


def _image_plane(subject: Subject) -> Iterator[Fault]:
    if subject.placed is None:
        return
    for contour, nearest in zip(subject.placed.closed.contours, subject.placed.slices, strict=True):
        for index, uid in enumerate(contour.image_uids):
            if subject.placed.ct.index_of_uid.get(uid, nearest) != nearest:
                path = f"{contour.path}.ContourImageSequence[{index}].ReferencedSOPInstanceUID"
                yield path, "It is another slice than the one on whose plane the contour lies."


def _no_image(subject: Subject) -> Iterator[Fault]:
    for contour in subject.closed.contours if subject.closed else ():
        if not contour.image_uids:
            yield f"{contour.path}.ContourImageSequence", "The contour does not say on which image it was drawn."


def _z_text(subject: Subject) -> Iterator[Fault]:
    if subject.placed is None:
        return
    ct, placed = subject.placed.ct, subject.placed
    is_axial = max(abs(ct.row[2]), abs(ct.column[2])) < AXIAL
    for contour, index, off_mm in zip(placed.closed.contours, placed.slices, placed.off_mm, strict=True):
        wanted = ct.z_texts[index]
        different = {text.strip() for text in set(contour.texts[2::3])} - {wanted}
        if different and is_axial and off_mm <= ct.off_plane_mm:
            said = f"z is written as {min(different)}, and in the slice's Image Position as {wanted}."
            yield f"{contour.path}.ContourData", said


ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
CT_RULES = (
    Rule("ct-patient", ERROR, "PS3.3 A.1.2.1 and C.7.1.1", "Patient attributes are the CT's.", _patient),
    Rule("ct-study", WARNING, "PS3.3 A.1.2.2", "The structure set is in the CT's study.", _study),
    Rule("ct-study-attributes", WARNING, "PS3.3 C.7.2.1", "Study attributes are the CT's.", _study_attributes),
    Rule(
        "ct-frame-of-reference",
        ERROR,
        "PS3.3 C.8.8.5; https://github.com/qurit/rt-utils/issues/29",
        "The frame of reference is the CT's.",
        _frame,
    ),
    Rule("ct-series", ERROR, "PS3.3 C.8.8.5", "The CT's series is one of those that are referred to.", _series),
    Rule("ct-image-listed", ERROR, "PS3.3 C.8.8.5", "An image that is listed is there.", _listed_images),
    Rule("ct-slice-unlisted", NOTE, "PS3.3 C.8.8.5", "Every slice of the CT is listed.", _unlisted_slices),
    Rule("ct-off-plane", ERROR, "PS3.3 C.8.8.6", "A closed contour lies on a slice.", _off_plane),
    Rule("ct-outside", ERROR, "PS3.3 C.8.8.6", "A contour lies within the image.", _outside),
    Rule("ct-image", ERROR, "PS3.3 C.8.8.6", "The image that a contour was drawn on is there.", _image_unknown),
    Rule("ct-image-class", ERROR, "PS3.3 10.8", "A reference has the SOP class of its image.", _image_class),
    Rule("ct-image-plane", ERROR, "PS3.3 C.8.8.6", "A contour lies on the image that it refers to.", _image_plane),
    Rule(
        "contour-image",
        NOTE,
        "PS3.3 C.8.8.6 (type 3); https://github.com/OHIF/Viewers/pull/2102",
        "A contour says on which image it was drawn.",
        _no_image,
    ),
    Rule(
        "ct-z-text",
        NOTE,
        "PS3.3 C.8.8.6 asks for the plane only; a reader that looks a slice up by z finds it so",
        "z of an axial contour is the slice's, character by character.",
        _z_text,
    ),
)

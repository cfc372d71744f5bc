"""Rules of the lint about attributes that must be there, module by module (pure)."""

from collections.abc import Iterator
from dataclasses import dataclass

from segmentation.lint_rule import Fault, Rule, Severity
from segmentation.lint_subject import Subject
from segmentation.lint_values import has, places, text_of


@dataclass(frozen=True)
class Module:
    """The attributes of types 1 and 2 that one table of PS3.3 asks for at one place of a structure set."""

    section: str
    sequences: tuple[str, ...]
    type_1: tuple[str, ...] = ()
    type_2: tuple[str, ...] = ()


_FRAME = "ReferencedFrameOfReferenceSequence"
_STUDY = (_FRAME, "RTReferencedStudySequence")
_SERIES = (*_STUDY, "RTReferencedSeriesSequence")
_CONTOUR = ("ROIContourSequence", "ContourSequence")
_REFERENCE = ("ReferencedSOPClassUID", "ReferencedSOPInstanceUID")
MODULES = (
    Module("C.7.1.1", (), (), ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")),
    Module(
        "C.7.2.1",
        (),
        ("StudyInstanceUID",),
        ("StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber"),
    ),
    Module("C.8.8.1", (), ("Modality", "SeriesInstanceUID"), ("SeriesNumber", "OperatorsName")),
    Module("C.7.5.1", (), (), ("Manufacturer",)),
    Module("C.12.1", (), ("SOPClassUID", "SOPInstanceUID")),
    Module("C.8.8.5", (), ("StructureSetLabel", "StructureSetROISequence"), ("StructureSetDate", "StructureSetTime")),
    Module("C.8.8.5", (_FRAME,), ("FrameOfReferenceUID",)),
    Module("C.8.8.5", _STUDY, (*_REFERENCE, "RTReferencedSeriesSequence")),
    Module("C.8.8.5", _SERIES, ("SeriesInstanceUID", "ContourImageSequence")),
    Module("C.8.8.5", (*_SERIES, "ContourImageSequence"), _REFERENCE),
    Module(
        "C.8.8.5",
        ("StructureSetROISequence",),
        ("ROINumber", "ReferencedFrameOfReferenceUID"),
        ("ROIName", "ROIGenerationAlgorithm"),
    ),
    Module("C.8.8.6", (), ("ROIContourSequence",)),
    Module("C.8.8.6", ("ROIContourSequence",), ("ReferencedROINumber",)),
    Module("C.8.8.6", _CONTOUR, ("ContourGeometricType", "NumberOfContourPoints", "ContourData")),
    Module("C.8.8.6", (*_CONTOUR, "ContourImageSequence"), _REFERENCE),
    Module("C.8.8.8", (), ("RTROIObservationsSequence",)),
    Module(
        "C.8.8.8",
        ("RTROIObservationsSequence",),
        ("ObservationNumber", "ReferencedROINumber"),
        ("RTROIInterpretedType", "ROIInterpreter"),
    ),
)


def _type_1(subject: Subject) -> Iterator[Fault]:
    for module in MODULES:
        for path, item in places(subject.ds, module.sequences):
            for keyword in module.type_1:
                if not has(item, keyword):
                    yield f"{path}{keyword}", f"It is missing, and PS3.3 {module.section} asks for a value (type 1)."
                elif not (item[keyword].value if keyword.endswith("Sequence") else text_of(item, keyword)):
                    yield f"{path}{keyword}", f"It is empty, and PS3.3 {module.section} asks for a value (type 1)."


def _type_2(subject: Subject) -> Iterator[Fault]:
    for module in MODULES:
        for path, item in places(subject.ds, module.sequences):
            for keyword in module.type_2:
                if not has(item, keyword):
                    said = f"It is missing, and PS3.3 {module.section} asks for it, be it empty (type 2)."
                    yield f"{path}{keyword}", said


def _frame_module(subject: Subject) -> Iterator[Fault]:
    if not text_of(subject.ds, "FrameOfReferenceUID"):
        yield "FrameOfReferenceUID", "The structure set does not say its frame of reference at its top level."
    elif "PositionReferenceIndicator" not in subject.ds:
        yield "PositionReferenceIndicator", "It is missing, and PS3.3 C.7.4.1 asks for it, be it empty (type 2)."


ERROR, WARNING = Severity.ERROR, Severity.WARNING
MODULE_RULES = (
    Rule("type-1", ERROR, "PS3.5 7.4.1", "An attribute of type 1 is there and has a value.", _type_1),
    Rule("type-2", ERROR, "PS3.5 7.4.3", "An attribute of type 2 is there, be it empty.", _type_2),
    Rule(
        "frame-of-reference-module",
        WARNING,
        "PS3.3 A.19.3 and C.7.4.1; dciodvfy asks for both",
        "Frame of Reference UID and Position Reference Indicator stand at the top level.",
        _frame_module,
    ),
)

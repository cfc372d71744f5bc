"""Rules of the lint about ROIs: numbers and names of their own, and that what refers to a ROI finds it (pure)."""

from collections import Counter
from collections.abc import Iterable, Iterator

from segmentation.lint_rule import Fault, Rule, Severity
from segmentation.lint_subject import Subject
from segmentation.lint_values import items_of, places, text_of

ROIS = ("StructureSetROISequence",)
DRAWINGS = ("ROIContourSequence",)
OBSERVATIONS = ("RTROIObservationsSequence",)


def _repeated(values: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield path and value of each that is there more than once, but for the first; what is empty is none."""
    listed = list(values)
    seen: Counter[str] = Counter()
    for path, value in listed:
        seen[value] += 1
        if value and seen[value] > 1:
            yield path, value


def _values(subject: Subject, sequences: tuple[str, ...], keyword: str) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of an attribute of every item of a sequence."""
    for path, item in places(subject.ds, sequences):
        yield f"{path}{keyword}", text_of(item, keyword, subject.encodings)


def _roi_numbers(subject: Subject) -> Iterator[Fault]:
    for path, value in _repeated(_values(subject, ROIS, "ROINumber")):
        yield path, f"ROI Number {value} is another ROI's already."


def _drawn_twice(subject: Subject) -> Iterator[Fault]:
    for path, value in _repeated(_values(subject, DRAWINGS, "ReferencedROINumber")):
        yield path, f"The contours of ROI {value} stand in another item already."


def _observation_numbers(subject: Subject) -> Iterator[Fault]:
    for path, value in _repeated(_values(subject, OBSERVATIONS, "ObservationNumber")):
        yield path, f"Observation Number {value} is another observation's already."


def _contour_numbers(subject: Subject) -> Iterator[Fault]:
    for contours in subject.contours:
        numbers = [(f"{contour.path}.ContourNumber", text_of(contour.item, "ContourNumber")) for contour in contours]
        for path, value in _repeated(numbers):
            yield path, f"Contour Number {value} is another contour's of the same ROI already."


def _names(subject: Subject) -> Iterator[Fault]:
    names = ((path, name.casefold()) for path, name in _values(subject, ROIS, "ROIName"))
    for path, name in _repeated(names):
        yield path, f"{name!r} is another ROI's name too, but for capitals."


def _nameless(subject: Subject) -> Iterator[Fault]:
    for path, item in places(subject.ds, ROIS):
        if "ROIName" in item and not text_of(item, "ROIName"):
            yield f"{path}ROIName", "The ROI has no name."


def _unknown_rois(subject: Subject) -> Iterator[Fault]:
    known = {value for _, value in _values(subject, ROIS, "ROINumber")}
    for sequences in (DRAWINGS, OBSERVATIONS):
        for path, value in _values(subject, sequences, "ReferencedROINumber"):
            if value and value not in known:
                yield path, f"There is no ROI {value} in the Structure Set ROI Sequence."


def _unobserved(subject: Subject) -> Iterator[Fault]:
    observed = {value for _, value in _values(subject, OBSERVATIONS, "ReferencedROINumber")}
    for path, value in _values(subject, ROIS, "ROINumber"):
        if value and value not in observed:
            yield path, f"ROI {value} has no item in the RT ROI Observations Sequence."


def _undrawn(subject: Subject) -> Iterator[Fault]:
    drawn = {value for _, value in _values(subject, DRAWINGS, "ReferencedROINumber")}
    for path, value in _values(subject, ROIS, "ROINumber"):
        if value and value not in drawn:
            yield path, f"ROI {value} has no item in the ROI Contour Sequence."
    for path, item in places(subject.ds, DRAWINGS):
        if "ContourSequence" not in item:
            said = f"ROI {text_of(item, 'ReferencedROINumber')} has no Contour Sequence; some readers stop there."
            yield f"{path}ContourSequence", said


def _empty_sequence(subject: Subject) -> Iterator[Fault]:
    for path, item in places(subject.ds, DRAWINGS):
        if "ContourSequence" in item and not items_of(item, "ContourSequence"):
            yield f"{path}ContourSequence", "It is empty: a ROI without contours leaves it out."


def _frames(subject: Subject) -> Iterator[Fault]:
    listed = {value for _, value in _values(subject, ("ReferencedFrameOfReferenceSequence",), "FrameOfReferenceUID")}
    for path, value in _values(subject, ROIS, "ReferencedFrameOfReferenceUID"):
        if listed and value and value not in listed:
            yield path, "The ROI's frame of reference is not in the Referenced Frame of Reference Sequence."


ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
ROI_RULES = (
    Rule("roi-number-unique", ERROR, "PS3.3 C.8.8.5", "No two ROIs have the same ROI Number.", _roi_numbers),
    Rule("roi-drawn-twice", ERROR, "PS3.3 C.8.8.6", "A ROI has one item in the ROI Contour Sequence.", _drawn_twice),
    Rule(
        "observation-number-unique",
        ERROR,
        "PS3.3 C.8.8.8",
        "No two observations have the same Observation Number.",
        _observation_numbers,
    ),
    Rule(
        "contour-number-unique",
        ERROR,
        "PS3.3 C.8.8.6",
        "No two contours of a ROI have the same Contour Number.",
        _contour_numbers,
    ),
    Rule(
        "name-unique",
        WARNING,
        "AAPM TG-263 (Mayo et al. 2018), guiding principles",
        "No two ROIs have the same name, capitals or not.",
        _names,
    ),
    Rule("name-empty", WARNING, "PS3.3 C.8.8.5 (type 2)", "A ROI has a name.", _nameless),
    Rule("roi-unknown", ERROR, "PS3.3 C.8.8.6 and C.8.8.8", "A ROI that is referred to is there.", _unknown_rois),
    Rule("roi-unobserved", WARNING, "PS3.3 C.8.8.8", "A ROI has an observation.", _unobserved),
    Rule(
        "roi-without-contours",
        WARNING,
        "PS3.3 C.8.8.6 allows it; https://github.com/e0404/matRad/issues/416, "
        "https://github.com/mwgeurts/dicom_tools/issues/18",
        "A ROI has a Contour Sequence.",
        _undrawn,
    ),
    Rule(
        "contour-sequence-empty",
        ERROR,
        "PS3.3 C.8.8.6 (one or more items)",
        "A Contour Sequence has an item.",
        _empty_sequence,
    ),
    Rule(
        "frame-listed",
        ERROR,
        "PS3.3 C.8.8.5",
        "A ROI's frame of reference is one of those that are listed.",
        _frames,
    ),
)

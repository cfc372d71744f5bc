"""Rules of the lint about single contours: their kind, their points, their area (pure)."""

from collections.abc import Iterator

from segmentation.lint_closed import FILLED
from segmentation.lint_rule import Fault, Rule, Severity
from segmentation.lint_subject import Subject
from segmentation.lint_values import text_of

KINDS = FILLED | {"POINT", "OPEN_PLANAR", "OPEN_NONPLANAR"}
SMALLEST_AREA_MM2 = 1e-6  # of coordinates in thousandths of a millimetre
FLAT_MM = 0.1  # how far a point may lie off the plane of its contour; coarser than any DS is rounded


def _kind(subject: Subject) -> Iterator[Fault]:
    for contour in subject.every_contour:
        if contour.kind and contour.kind not in KINDS:
            yield f"{contour.path}.ContourGeometricType", f"{contour.kind!r} is no geometric type."


def _xor_mixed(subject: Subject) -> Iterator[Fault]:
    for contours in subject.contours:
        closed = {contour.kind for contour in contours} & FILLED
        for contour in contours:
            if contour.kind == "CLOSED_PLANAR" and len(closed) > 1:
                said = "It is CLOSED_PLANAR in a ROI that has contours of CLOSEDPLANAR_XOR: all must be of that type."
                yield f"{contour.path}.ContourGeometricType", said


def _xor(subject: Subject) -> Iterator[Fault]:
    for contours in subject.contours:
        first = next((contour for contour in contours if contour.kind == "CLOSEDPLANAR_XOR"), None)
        if first is not None:
            said = "The ROI's contours are of CLOSEDPLANAR_XOR, which some readers pass over in silence."
            yield f"{first.path}.ContourGeometricType", said


def _triples(subject: Subject) -> Iterator[Fault]:
    for contour in subject.every_contour:
        if contour.points is None:
            said = f"Its {len(contour.texts)} values are not triples of numbers that can be places in a patient."
            yield f"{contour.path}.ContourData", said


def _point_count(subject: Subject) -> Iterator[Fault]:
    for contour in subject.every_contour:
        stated = text_of(contour.item, "NumberOfContourPoints")
        if contour.points is not None and stated and stated.lstrip("+") != str(len(contour.points)):
            said = f"It says {stated}, and Contour Data has {len(contour.points)} points."
            yield f"{contour.path}.NumberOfContourPoints", said


def _few_points(subject: Subject) -> Iterator[Fault]:
    for contour in subject.every_contour:
        if contour.points is not None and contour.kind in FILLED and len(contour.points) < 3:
            said = f"A closed contour of {len(contour.points)} points encloses nothing."
            yield f"{contour.path}.ContourData", said


def _point_of_many(subject: Subject) -> Iterator[Fault]:
    for contour in subject.every_contour:
        if contour.points is not None and contour.kind == "POINT" and len(contour.points) != 1:
            yield f"{contour.path}.ContourData", f"A POINT has one point, and this has {len(contour.points)}."


def _repeats_first(subject: Subject) -> Iterator[Fault]:
    for contour in subject.closed.where(subject.closed.repeats_first) if subject.closed else ():
        said = "The first point is repeated at the end: a closed contour is closed without that."
        yield f"{contour.path}.ContourData", said


def _area(subject: Subject) -> Iterator[Fault]:
    for contour in subject.closed.where(~(subject.closed.areas_mm2 > SMALLEST_AREA_MM2)) if subject.closed else ():
        yield f"{contour.path}.ContourData", "The contour encloses no area."


def _flat(subject: Subject) -> Iterator[Fault]:
    if subject.closed is None:
        return
    for contour, off_mm in zip(subject.closed.contours, subject.closed.off_flat_mm, strict=True):
        if off_mm > FLAT_MM:
            yield f"{contour.path}.ContourData", f"A point lies {off_mm:.2f} mm off the plane of its contour."


ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
CONTOUR_RULES = (
    Rule("geometric-type", ERROR, "PS3.3 C.8.8.6.1", "Contour Geometric Type is an enumerated value.", _kind),
    Rule(
        "xor-mixed",
        ERROR,
        "PS3.3 C.8.8.6.3",
        "CLOSEDPLANAR_XOR is the type of all contours of a ROI or of none.",
        _xor_mixed,
    ),
    Rule(
        "xor",
        NOTE,
        "PS3.3 C.8.8.6.3; https://github.com/Sikerdebaard/dcmrtstruct2nii",
        "A hole is a keyhole, which every reader knows.",
        _xor,
    ),
    Rule("contour-data", ERROR, "PS3.3 C.8.8.6", "Contour Data is triples of numbers.", _triples),
    Rule("point-count", ERROR, "PS3.3 C.8.8.6", "Number of Contour Points is that of Contour Data.", _point_count),
    Rule(
        "few-points",
        ERROR,
        "PS3.3 C.8.8.6.1; https://github.com/qurit/rt-utils/pull/105",
        "A closed contour has three points at least.",
        _few_points,
    ),
    Rule("point", ERROR, "PS3.3 C.8.8.6.1", "A POINT has one point.", _point_of_many),
    Rule(
        "closed-repeats",
        ERROR,
        "PS3.3 C.8.8.6.1",
        "A closed contour does not repeat its first point.",
        _repeats_first,
    ),
    Rule("zero-area", WARNING, "PS3.3 C.8.8.6.1", "A closed contour encloses an area.", _area),
    Rule("not-planar", ERROR, "PS3.3 C.8.8.6.1", "The points of a closed contour are coplanar.", _flat),
)

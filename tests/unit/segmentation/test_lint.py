"""The lint: our own files have no finding, and each rule finds its fault and says where it is."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.config import disable_value_validation

from segmentation.errors import StructureSetError
from segmentation.lint import RULES, Finding, Severity, lint_structure_set
from segmentation.organ_mask import OrganMask
from segmentation.rtstruct import build_structure_set, encode_structure_set
from segmentation.tps import QUIRKS
from tests.support.structure_sets import EDGE_CASES, GEOMETRIES, ct_headers, grid_of, identity, organs_of

HFS = GEOMETRIES["HFS"]
DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "structure_sets"
NOT_THIS_CT = {"ct-image-listed", "ct-off-plane", "ct-image"}  # of which but one slice is there
Change = Callable[[Dataset], None]


def written(geometry: str = "HFS") -> bytes:
    made = GEOMETRIES[geometry]
    return encode_structure_set(build_structure_set(organs_of(made), ct_headers(made), grid_of(made), identity()))


OWN = written()


def changed(change: Change) -> bytes:
    """Return our structure set with a fault, as its maker would have written it."""
    ds = dcmread(BytesIO(OWN))
    file = BytesIO()
    with disable_value_validation():
        change(ds)
        dcmwrite(file, ds)
    return file.getvalue()


def found(change: Change, tps: str = "") -> list[Finding]:
    return lint_structure_set(changed(change), ct_headers(HFS), tps)


def contour(ds: Dataset, place: int = 0) -> Dataset:
    return ds.ROIContourSequence[0].ContourSequence[place]


def put(keyword: str, value: object, *sequences: str) -> Change:
    """Return what sets an attribute of the first item of nested sequences; None takes it away."""

    def change(ds: Dataset) -> None:
        for sequence in sequences:
            ds = ds[sequence].value[0]
        if value is None:
            del ds[keyword]
        else:
            setattr(ds, keyword, value)

    return change


def put_points(points: Callable[[list[str]], list[str]]) -> Change:
    """Return what changes the points of the first contour, with their number."""

    def change(ds: Dataset) -> None:
        values = points([str(x) for x in contour(ds).ContourData])
        contour(ds).ContourData, contour(ds).NumberOfContourPoints = values, len(values) // 3

    return change


def two_rois_of_one_name(ds: Dataset) -> None:
    ds.StructureSetROISequence[1].ROIName = "BRAINSTEM"


def mixed_xor(ds: Dataset) -> None:
    contour(ds).ContourGeometricType = "CLOSEDPLANAR_XOR"


def another_slice(ds: Dataset) -> None:
    contour(ds, 0).ContourImageSequence = contour(ds, 1).ContourImageSequence


def lifted_point(values: list[str]) -> list[str]:
    return [*values[:2], f"{float(values[2]) + 0.9:.3f}", *values[3:]]


def lifted(mm: float) -> Callable[[list[str]], list[str]]:
    return lambda values: [f"{float(x) + mm:.3f}" if place % 3 == 2 else x for place, x in enumerate(values)]


def aside(values: list[str]) -> list[str]:
    return [f"{float(x) - 40:.3f}" if place % 3 == 0 else x for place, x in enumerate(values)]


def repeated_number(sequence: str, keyword: str) -> Change:
    def change(ds: Dataset) -> None:
        setattr(ds[sequence].value[1], keyword, ds[sequence].value[0][keyword].value)

    return change


ROIS, DRAWINGS, OBSERVATIONS = "StructureSetROISequence", "ROIContourSequence", "RTROIObservationsSequence"
CODES = "RTROIIdentificationCodeSequence"
FRAME, STUDY, SERIES = "ReferencedFrameOfReferenceSequence", "RTReferencedStudySequence", "RTReferencedSeriesSequence"
FIRST = (DRAWINGS, "ContourSequence")
AT_FIRST = "ROIContourSequence[0].ContourSequence[0]"
AT_SERIES = f"{FRAME}[0].{STUDY}[0].{SERIES}[0]"
CASES: list[tuple[str, Change, str]] = [
    ("type-1", put("StructureSetLabel", None), "StructureSetLabel"),
    ("type-1", put("ROINumber", "", ROIS), f"{ROIS}[0].ROINumber"),
    ("type-1", put("ContourGeometricType", None, *FIRST), f"{AT_FIRST}.ContourGeometricType"),
    ("type-2", put("AccessionNumber", None), "AccessionNumber"),
    ("type-2", put("ROIInterpreter", None, OBSERVATIONS), f"{OBSERVATIONS}[0].ROIInterpreter"),
    ("frame-of-reference-module", put("FrameOfReferenceUID", None), "FrameOfReferenceUID"),
    ("frame-of-reference-module", put("PositionReferenceIndicator", None), "PositionReferenceIndicator"),
    ("label-length", put("StructureSetLabel", "seventeen letters"), "StructureSetLabel"),
    (
        "observation-label-length",
        put("ROIObservationLabel", "seventeen letters", OBSERVATIONS),
        f"{OBSERVATIONS}[0].ROIObservationLabel",
    ),
    ("name-too-long", put("ROIName", "n" * 65, ROIS), f"{ROIS}[0].ROIName"),
    ("name-length", put("ROIName", "seventeen letters", ROIS), f"{ROIS}[0].ROIName"),
    ("name-empty", put("ROIName", "", ROIS), f"{ROIS}[0].ROIName"),
    ("name-unique", two_rois_of_one_name, f"{ROIS}[1].ROIName"),
    ("approval-status", put("ApprovalStatus", "MAYBE"), "ApprovalStatus"),
    ("approval-review", put("ApprovalStatus", "APPROVED"), "ReviewDate"),
    ("review-unapproved", put("ReviewDate", "20260102"), "ReviewDate"),
    ("colour", put("ROIDisplayColor", [0, 160, 256], DRAWINGS), f"{DRAWINGS}[0].ROIDisplayColor"),
    ("interpreted-type", put("RTROIInterpretedType", "GLAND", OBSERVATIONS), f"{OBSERVATIONS}[0].RTROIInterpretedType"),
    (
        "interpreted-type-empty",
        put("RTROIInterpretedType", "", OBSERVATIONS),
        f"{OBSERVATIONS}[0].RTROIInterpretedType",
    ),
    (
        "code-context",
        put("ContextIdentifier", "VMS011", OBSERVATIONS, CODES),
        f"{OBSERVATIONS}[0].{CODES}[0].MappingResource",
    ),
    ("generation-algorithm", put("ROIGenerationAlgorithm", "MAGIC", ROIS), f"{ROIS}[0].ROIGenerationAlgorithm"),
    ("roi-number-unique", repeated_number(ROIS, "ROINumber"), f"{ROIS}[1].ROINumber"),
    ("roi-drawn-twice", repeated_number(DRAWINGS, "ReferencedROINumber"), f"{DRAWINGS}[1].ReferencedROINumber"),
    (
        "observation-number-unique",
        repeated_number(OBSERVATIONS, "ObservationNumber"),
        f"{OBSERVATIONS}[1].ObservationNumber",
    ),
    (
        "contour-number-unique",
        lambda ds: setattr(contour(ds, 1), "ContourNumber", 1),
        "ROIContourSequence[0].ContourSequence[1].ContourNumber",
    ),
    ("roi-unknown", put("ReferencedROINumber", 77, DRAWINGS), f"{DRAWINGS}[0].ReferencedROINumber"),
    ("roi-unobserved", put("ReferencedROINumber", 77, OBSERVATIONS), f"{ROIS}[0].ROINumber"),
    ("roi-without-contours", put("ContourSequence", None, DRAWINGS), f"{DRAWINGS}[0].ContourSequence"),
    ("roi-without-contours", put("ReferencedROINumber", 77, DRAWINGS), f"{ROIS}[0].ROINumber"),
    ("contour-sequence-empty", put("ContourSequence", [], DRAWINGS), f"{DRAWINGS}[0].ContourSequence"),
    ("frame-listed", put("ReferencedFrameOfReferenceUID", "1.2.3", ROIS), f"{ROIS}[0].ReferencedFrameOfReferenceUID"),
    ("geometric-type", put("ContourGeometricType", "ROUND", *FIRST), f"{AT_FIRST}.ContourGeometricType"),
    ("xor-mixed", mixed_xor, "ROIContourSequence[0].ContourSequence[1].ContourGeometricType"),
    ("xor", mixed_xor, f"{AT_FIRST}.ContourGeometricType"),
    ("contour-data", put_points(lambda values: values[:-1]), f"{AT_FIRST}.ContourData"),
    ("point-count", put("NumberOfContourPoints", 4, *FIRST), f"{AT_FIRST}.NumberOfContourPoints"),
    ("few-points", put_points(lambda values: values[:6]), f"{AT_FIRST}.ContourData"),
    ("point", put("ContourGeometricType", "POINT", *FIRST), f"{AT_FIRST}.ContourData"),
    ("closed-repeats", put_points(lambda values: values + values[:3]), f"{AT_FIRST}.ContourData"),
    ("zero-area", put_points(lambda values: values[:6] + values[:3]), f"{AT_FIRST}.ContourData"),
    ("not-planar", put_points(lifted_point), f"{AT_FIRST}.ContourData"),
    ("ct-patient", put("PatientID", "SOMEBODY ELSE"), "PatientID"),
    ("ct-study", put("StudyInstanceUID", "1.2.3"), "StudyInstanceUID"),
    ("ct-study-attributes", put("StudyDate", "19991231"), "StudyDate"),
    ("ct-frame-of-reference", put("FrameOfReferenceUID", "1.2.3"), "FrameOfReferenceUID"),
    (
        "ct-frame-of-reference",
        put("ReferencedFrameOfReferenceUID", "1.2.3", ROIS),
        f"{ROIS}[0].ReferencedFrameOfReferenceUID",
    ),
    ("ct-series", put("SeriesInstanceUID", "1.2.3", FRAME, STUDY, SERIES), f"{AT_SERIES}.SeriesInstanceUID"),
    (
        "ct-image-listed",
        put("ReferencedSOPInstanceUID", "1.2.3", FRAME, STUDY, SERIES, "ContourImageSequence"),
        f"{AT_SERIES}.ContourImageSequence[0].ReferencedSOPInstanceUID",
    ),
    (
        "ct-slice-unlisted",
        put("ReferencedSOPInstanceUID", "1.2.3", FRAME, STUDY, SERIES, "ContourImageSequence"),
        f"{AT_SERIES}.ContourImageSequence",
    ),
    ("ct-off-plane", put_points(lifted(1.2)), f"{AT_FIRST}.ContourData"),
    ("ct-outside", put_points(aside), f"{AT_FIRST}.ContourData"),
    (
        "ct-image",
        put("ReferencedSOPInstanceUID", "1.2.3", *FIRST, "ContourImageSequence"),
        f"{AT_FIRST}.ContourImageSequence[0].ReferencedSOPInstanceUID",
    ),
    (
        "ct-image-class",
        put("ReferencedSOPClassUID", "1.2.3", *FIRST, "ContourImageSequence"),
        f"{AT_FIRST}.ContourImageSequence[0].ReferencedSOPClassUID",
    ),
    ("ct-image-plane", another_slice, f"{AT_FIRST}.ContourImageSequence[0].ReferencedSOPInstanceUID"),
    ("contour-image", put("ContourImageSequence", None, *FIRST), f"{AT_FIRST}.ContourImageSequence"),
    ("ct-z-text", put_points(lifted(0.1)), f"{AT_FIRST}.ContourData"),
]


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_our_own_structure_sets_have_no_finding(geometry: str) -> None:
    """In every position, tilted, with pixels that are not square and with uneven slices; for every TPS."""
    headers = ct_headers(GEOMETRIES[geometry])

    assert [lint_structure_set(written(geometry), headers, tps) for tps in ("", *QUIRKS)] == [[]] * 6


@pytest.mark.parametrize("charset", ["GB18030", "ISO_IR 13", "ISO_IR 100", "ISO 2022 IR 6\\ISO 2022 IR 149"])
def test_a_character_set_of_an_odd_number_of_letters_is_no_finding(charset: str) -> None:
    """Its padding was there, and was taken away by the library that read it."""
    headers = ct_headers(HFS)
    for header in headers:
        header.SpecificCharacterSet = charset.split("\\")
    content = encode_structure_set(build_structure_set(organs_of(HFS), headers, grid_of(HFS), identity()))

    assert lint_structure_set(content, headers) == []


@pytest.mark.parametrize("case", EDGE_CASES)
def test_masks_that_are_hard_to_draw_have_no_finding_either(case: str) -> None:
    """One voxel, a checkerboard, noise."""
    organ = OrganMask.from_full(EDGE_CASES[case](grid_of(HFS).shape))
    content = encode_structure_set(build_structure_set({"Brainstem": organ}, ct_headers(HFS), grid_of(HFS), identity()))

    assert lint_structure_set(content, ct_headers(HFS)) == []


@pytest.mark.parametrize(("rule", "change", "path"), CASES, ids=[f"{case[0]} {case[2][-30:]}" for case in CASES])
def test_a_fault_is_found_where_it_is(rule: str, change: Change, path: str) -> None:
    """With the rule's id and the attribute."""
    findings = {(finding.rule, finding.path) for finding in found(change)}

    assert (rule, path) in findings


def test_a_decimal_string_of_17_bytes_is_found() -> None:
    """As Python writes a float; the message counts them."""
    findings = found(put_points(lambda values: ["-1.23456789012345", *values[1:]]))

    (finding,) = (one for one in findings if one.rule == "ds-length")
    assert finding.path == f"{AT_FIRST}.ContourData"
    assert finding.text.startswith("1 of ")
    assert "the longest 17" in finding.text


def test_a_decimal_string_that_is_no_number_is_found() -> None:
    """A comma in place of the point, which pydicom would not write."""
    z_text = str(ct_headers(HFS)[4].ImagePositionPatient[2]).encode()
    broken = OWN.replace(b"\\" + z_text, b"\\" + z_text.replace(b".", b","), 1)

    assert {finding.rule for finding in lint_structure_set(broken)} == {"ds-text", "contour-data"}


def test_contour_data_too_long_for_an_explicit_vr_is_found() -> None:
    """From 65534 bytes on toolkits write UN."""
    findings = found(put_points(lambda values: values * (66000 // len("\\".join(values)) + 1)))

    assert "contour-data-length" in {finding.rule for finding in findings}


def test_every_rule_is_tested() -> None:
    """But for an odd length, which pydicom refuses to write."""
    elsewhere = {"ds-length", "ds-text", "contour-data-length", "even-length"}

    assert {case[0] for case in CASES} | elsewhere == {rule.id for rule in RULES}
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_an_odd_length_is_found() -> None:
    """A value of 15 bytes in an implicit VR, made byte by byte."""
    label = b"\x06\x30\x02\x00"
    at = OWN.index(label)
    length = OWN[at + 4]
    odd = OWN[: at + 4] + bytes([length - 1]) + OWN[at + 5 : at + 8 + length - 1] + OWN[at + 8 + length :]

    assert [(one.rule, one.path) for one in lint_structure_set(odd)] == [("even-length", "StructureSetLabel")]


def test_findings_come_the_worst_first() -> None:
    """Errors, warnings, notes."""

    def change(ds: Dataset) -> None:
        put("ContourImageSequence", None, *FIRST)(ds)
        put("ROIName", "seventeen letters", ROIS)(ds)
        put("StudyDate", None)(ds)

    severities = [finding.severity for finding in found(change)]

    assert severities == sorted(severities, key=list(Severity).index)
    assert set(severities) == set(Severity)


def test_no_finding_tells_who_the_patient_is() -> None:
    """Neither of the structure set nor of the CT."""

    def change(ds: Dataset) -> None:
        ds.PatientName, ds.PatientID, ds.PatientBirthDate = "Canary^Yellow", "CANARY-1", "19031224"

    said = " ".join(finding.text for finding in found(change))

    assert not [word for word in ("Canary", "CANARY", "19031224", "Made", "MADE77") if word in said]


def test_a_quirk_of_a_tps_is_told_with_its_source() -> None:
    """The same finding is a note for anyone and a warning for RayStation."""
    (plain,) = found(put("RTROIInterpretedType", "", OBSERVATIONS))
    (raystation,) = found(put("RTROIInterpretedType", "", OBSERVATIONS), "RayStation")

    assert (plain.severity, raystation.severity) == (Severity.NOTE, Severity.WARNING)
    assert "name (1)" in raystation.text
    assert "Dicom_RT_and_Images_to_Mask/pull/15" in raystation.source


def test_every_quirk_belongs_to_a_rule() -> None:
    """And says where it is documented."""
    quirks = [quirk for quirks in QUIRKS.values() for quirk in quirks]

    assert {quirk.rule for quirk in quirks} <= {rule.id for rule in RULES}
    assert all(quirk.source.startswith("https://") for quirk in quirks)


@pytest.mark.parametrize(
    ("content", "tps", "said"),
    [(b"nothing", "", "no DICOM file"), (OWN, "Etch A Sketch", "is none of the systems that are known")],
)
def test_what_cannot_be_linted_is_told(content: bytes, tps: str, said: str) -> None:
    """In the operator's words."""
    with pytest.raises(StructureSetError, match=said):
        lint_structure_set(content, tps=tps)


def test_the_document_lists_every_rule() -> None:
    """With its severity, what it asks for, and its source."""
    document = (Path(__file__).resolve().parents[3] / "docs" / "lint.md").read_text(encoding="utf-8")

    rows = [f"| `{rule.id}` | {rule.severity} | {rule.says} | {rule.source} |" for rule in RULES]
    assert [row for row in rows if row not in document] == []


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason="the public structure sets are not beside the checkout")
@pytest.mark.parametrize(
    ("folder", "rules"),
    [
        ("eclipse_aria_16.1_visible_human", {"observation-number-unique"}),
        ("raystation_9.2_rando_head", {"type-2", *NOT_THIS_CT}),
        ("approved_breast", {"type-2", *NOT_THIS_CT, "frame-of-reference-module", "roi-without-contours", "ct-z-text"}),
    ],
)
def test_foreign_structure_sets_are_linted(folder: str, rules: set[str]) -> None:
    """What their makers did, and what is missing of their CT."""
    datasets = {path: dcmread(path, stop_before_pixels=True) for path in sorted((DATA / folder).rglob("*.dcm"))}
    headers = [ds for ds in datasets.values() if ds.Modality == "CT"]
    (path,) = (path for path, ds in datasets.items() if ds.Modality == "RTSTRUCT")

    findings = lint_structure_set(path.read_bytes(), headers)

    assert {finding.rule for finding in findings} == rules

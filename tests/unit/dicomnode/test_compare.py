"""The commands that compare two structure sets and that lint one."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from pydicom import dcmread

from dicomnode.cli_structures import structures_app
from dicomnode.commands.compare import as_json, compare, remarks_of, table_of
from dicomnode.commands.lint import as_json as findings_json
from dicomnode.commands.lint import counts, first_of_each_rule, has_error, lint
from dicomnode.errors import NodeError, NotFound
from segmentation.ct import read_ct_series
from segmentation.errors import StructureSetError
from segmentation.lint import Finding, Severity
from segmentation.organ_mask import OrganMask
from segmentation.phantom_series import write_series
from segmentation.rtstruct import build_structure_set, encode_structure_set
from tests.support.series import series_of, small_phantom
from tests.support.structure_sets import identity

MOVED_BY = 2  # columns of 3 mm


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A phantom's CT in ct/, its organs in b.dcm, and in a.dcm one of them moved, one renamed and one left out."""
    place = tmp_path_factory.mktemp("compared")
    phantom = small_phantom()
    ct = read_ct_series(write_series(series_of(phantom), place / "ct"))
    organs = {name: OrganMask.from_full(phantom.masks[name]) for name in ("Parotid_L", "Brainstem", "Bone_Mandible")}
    moved = OrganMask.from_full(np.roll(phantom.masks["Parotid_L"], MOVED_BY, axis=2))
    for name, held in {"a": {"Parotid_L": moved, "Brainstem": organs["Brainstem"]}, "b": organs}.items():
        ds = build_structure_set(held, ct.headers, ct.volume.grid, identity())
        (place / f"{name}.dcm").write_bytes(encode_structure_set(ds))
    renamed = dcmread(place / "a.dcm")
    next(roi for roi in renamed.StructureSetROISequence if roi.ROIName == "Brainstem").ROIName = "Tronc cérébral"
    renamed.SpecificCharacterSet = "ISO_IR 192"
    renamed.save_as(place / "a.dcm")
    return place


def test_organs_are_compared_under_whatever_name_they_have(folder: Path) -> None:
    """A French brainstem is the brainstem; the parotid is as far off as it was moved; a mandible is not in A."""
    rows = {row.organ: row for row in compare(folder / "a.dcm", folder / "b.dcm", folder / "ct").rows}

    assert rows["Brainstem"].names == ("Tronc cérébral", "Brainstem")
    assert (rows["Brainstem"].dsc, rows["Brainstem"].hd95_mm, rows["Brainstem"].added_path_mm) == (1.0, 0.0, 0.0)
    assert rows["Parotid_L"].hd95_mm == pytest.approx(MOVED_BY * 3.0)
    assert rows["Parotid_L"].added_path_mm > 0
    assert rows["Parotid_L"].volume_ratio == pytest.approx(1.0)
    assert rows["Bone_Mandible"].note == "not in A"


def test_tolerances_are_those_that_are_asked_for(folder: Path) -> None:
    """Else 1, 2 and 3 mm."""
    usual = compare(folder / "a.dcm", folder / "b.dcm", folder / "ct").rows[0]
    own = compare(folder / "a.dcm", folder / "b.dcm", folder / "ct", tolerances_mm=[7.5]).rows[0]

    assert list(usual.surface_dsc) == [1.0, 2.0, 3.0]
    assert list(own.surface_dsc) == [7.5]


def test_json_knows_no_nan(folder: Path) -> None:
    """What is not a number is null."""
    value = as_json(compare(folder / "a.dcm", folder / "b.dcm", folder / "ct"))

    (missing,) = (row for row in value["rois"] if row["note"])
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert (missing["name_a"], missing["dsc"], missing["volume_a_cm3"]) == (None, None, None)


def test_the_picture_shows_both_contours(folder: Path, tmp_path: Path) -> None:
    """A in cyan and B in orange."""
    compare(folder / "a.dcm", folder / "b.dcm", folder / "ct", picture=tmp_path / "picture.png")

    red, green, blue = np.moveaxis(imread(tmp_path / "picture.png")[..., :3], 2, 0)
    above_the_legend = slice(0, int(len(red) * 0.85))
    assert ((red < 0.2) & (green > 0.7) & (blue > 0.8))[above_the_legend].sum() > 50
    assert ((red > 0.8) & (green > 0.5) & (blue < 0.2))[above_the_legend].sum() > 50


def test_a_roi_that_cannot_be_read_is_told(folder: Path, tmp_path: Path) -> None:
    """With the reader's reasons, and its counterpart says why it is alone."""
    ds = dcmread(folder / "a.dcm")
    contour = ds.ROIContourSequence[0].ContourSequence[0]
    contour.ContourData = [f"{float(x) + 1000:.2f}" for x in contour.ContourData]
    ds.save_as(tmp_path / "a.dcm")

    compared = compare(tmp_path / "a.dcm", folder / "b.dcm", folder / "ct")

    (left,) = compared.left_out
    assert (left.side, left.name) == ("A", "Tronc cérébral")
    assert "off the nearest slice" in left.reasons[0]
    (brainstem,) = (row for row in compared.rows if row.organ == "Brainstem")
    assert brainstem.note == "could not be read in A"


def test_a_structure_set_of_another_ct_is_told_by_its_file(folder: Path, tmp_path: Path) -> None:
    """Its frame of reference is another one."""
    ds = dcmread(folder / "a.dcm")
    for roi in ds.StructureSetROISequence:
        roi.ReferencedFrameOfReferenceUID = "1.2.3"
    ds.save_as(tmp_path / "other.dcm")

    with pytest.raises(StructureSetError, match=r"other\.dcm: no ROI .* frame of reference"):
        compare(tmp_path / "other.dcm", folder / "b.dcm", folder / "ct")


@pytest.mark.parametrize("tolerance", [-1.0, math.nan, math.inf])
def test_a_tolerance_that_is_none_is_told(folder: Path, tolerance: float) -> None:
    """It is a number of millimetres."""
    with pytest.raises(NodeError, match="number of millimetres"):
        compare(folder / "a.dcm", folder / "b.dcm", folder / "ct", tolerances_mm=[tolerance])


def test_our_own_structure_set_has_no_finding(folder: Path) -> None:
    """Against its CT, as files."""
    assert lint(folder / "b.dcm", folder / "ct", tps="Eclipse") == []


def test_a_changed_structure_set_has_findings(folder: Path, tmp_path: Path) -> None:
    """As JSON says them: rule, severity, attribute, sentence, source."""
    ds = dcmread(folder / "b.dcm")
    ds.ROIContourSequence[1].ContourSequence[2].NumberOfContourPoints = 3
    ds.save_as(tmp_path / "changed.dcm")

    (finding,) = findings_json(lint(tmp_path / "changed.dcm"))

    assert finding["path"] == "ROIContourSequence[1].ContourSequence[2].NumberOfContourPoints"
    assert (finding["rule"], finding["severity"], finding["source"]) == ("point-count", "error", "PS3.3 C.8.8.6")
    assert finding["text"].startswith("It says 3, and Contour Data has ")


@pytest.mark.parametrize("cut_at", [0, 40, 140])
def test_a_damaged_file_is_told(folder: Path, tmp_path: Path, cut_at: int) -> None:
    """And one that is not there."""
    (tmp_path / "cut.dcm").write_bytes((folder / "b.dcm").read_bytes()[:cut_at])

    with pytest.raises((NodeError, StructureSetError)):
        lint(tmp_path / "cut.dcm")
    with pytest.raises(NotFound):
        lint(tmp_path / "nothing.dcm")


def test_many_findings_of_a_rule_are_shortened() -> None:
    """The first ones, and with the last of them how many more there are."""
    many = [Finding("one", Severity.ERROR, str(index), "", "") for index in range(7)]
    few = [Finding("two", Severity.NOTE, "x", "", "")]

    assert [(finding.path, more) for finding, more in first_of_each_rule(many + few, most=3)] == [
        ("0", 0),
        ("1", 0),
        ("2", 4),
        ("x", 0),
    ]
    assert counts(many + few) == "7 errors, 1 note"
    assert counts([]) == "no finding"
    assert (has_error(many), has_error(few)) == (True, False)


def run(*arguments: object) -> int | None:
    """Return the exit code of `dicomnode structures`; None for 0."""
    code = structures_app([str(argument) for argument in arguments], standalone_mode=False)
    assert code is None or isinstance(code, int)
    return code


def test_lint_says_it_on_the_terminal(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No finding; or the rule, the attribute, the sentence, the source, and an exit code of 3."""
    ds = dcmread(folder / "b.dcm")
    ds.ApprovalStatus = "PERHAPS"
    ds.save_as(tmp_path / "changed.dcm")

    clean, said_of_clean = run("lint", folder / "b.dcm", "--ct", folder / "ct"), capsys.readouterr().out
    faulty, said_of_faulty = run("lint", tmp_path / "changed.dcm", "--tps", "mim"), capsys.readouterr().out

    assert (clean, said_of_clean) == (None, "no finding\n")
    assert faulty == 3
    assert said_of_faulty.splitlines() == [
        "error approval-status: ApprovalStatus",
        "    It is 'PERHAPS', and may be APPROVED, UNAPPROVED or REJECTED. [PS3.3 C.8.8.16]",
        "1 error",
    ]


def test_compare_says_it_on_the_terminal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON, which a program reads."""
    code = run("compare", folder / "a.dcm", folder / "b.dcm", "--ct", folder / "ct", "--tolerance", "2.5", "--json")

    (parotid,) = (row for row in json.loads(capsys.readouterr().out)["rois"] if row["organ"] == "Parotid_L")
    assert code is None
    assert list(parotid["surface_dsc"]) == ["2.5 mm"]


def test_the_table_names_what_is_called_otherwise(folder: Path) -> None:
    """Below the table, as why a value is missing."""
    compared = compare(folder / "a.dcm", folder / "b.dcm", folder / "ct")

    head, rows = table_of(compared)

    (brainstem,) = (row for row in rows if row[0] == "Brainstem")
    assert head[:6] == ["organ", "A cm³", "B cm³", "A/B", "DSC", "HD95 mm"]
    assert brainstem[3:6] == ["1.00", "1.000", "0.0"]
    assert remarks_of(compared) == ["Brainstem: A: Tronc cérébral", "Bone_Mandible: not in A"]

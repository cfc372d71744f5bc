"""What is written of a contouring, for whom, and that nothing is written which does not prove right."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from highdicom.seg import segread
from pydicom import dcmread

from segmentation.autocontour import Output, write_outputs
from segmentation.contouring import Contouring
from segmentation.errors import StructureSetError
from segmentation.organ_mask import OrganMask
from segmentation.phantom_series import write_series
from segmentation.profiles import PROFILES, profile_named
from segmentation.structures import BY_NAME, PLAIN, Appearance
from tests.support.series import series_of, small_phantom
from tests.support.structure_sets import ROOT, identity

NAMES = ("Bone_Mandible", "Parotid_L", "Brainstem")
OF_THE_SITE = {
    **PLAIN,
    "Parotid_L": Appearance("Parotis li", (1, 2, 3), "AVOIDANCE"),
    "Brainstem": Appearance("Hirnstamm", (4, 5, 6)),
}
OF_SEG = identity(sop_instance_uid=f"{ROOT}.8.1", series_instance_uid=f"{ROOT}.8")


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A phantom's CT."""
    return write_series(series_of(small_phantom()), tmp_path_factory.mktemp("ct"))


def contoured(**changed: OrganMask) -> Contouring:
    organs = {name: OrganMask.from_full(small_phantom().masks[name]) for name in NAMES} | changed
    return Contouring(organs, (), (), "made", "1", "ab" * 32)


@pytest.mark.parametrize("name", PROFILES)
def test_the_site_names_and_shows_the_organs_in_every_profile(slices: list[Path], tmp_path: Path, name: str) -> None:
    """Name, colour and interpreted type are the site's; whoever has none keeps TG-263's."""
    profile = profile_named(name, OF_THE_SITE)

    write_outputs(slices, contoured(), [Output(identity(), tmp_path / "rs.dcm", profile)])

    ds = dcmread(tmp_path / "rs.dcm")
    assert [roi.ROIName for roi in ds.StructureSetROISequence] == ["Hirnstamm", "Bone_Mandible", "Parotis li"]
    assert [each.ROIObservationLabel for each in ds.RTROIObservationsSequence][2] == "Parotis li"
    assert [each.RTROIInterpretedType for each in ds.RTROIObservationsSequence] == ["ORGAN", "ORGAN", "AVOIDANCE"]
    assert [list(each.ROIDisplayColor) for each in ds.ROIContourSequence][::2] == [[4, 5, 6], [1, 2, 3]]


def test_what_is_to_be_said_of_an_organ_is_its_description(slices: list[Path], tmp_path: Path) -> None:
    """In every profile, and the file still proves right."""
    said = replace(contoured(), expected_dice={"Brainstem": 0.812}, doubts={"Brainstem": ("Brainstem has 99 cm3.",)})

    write_outputs(
        slices, said, [Output(identity(), tmp_path / f"{name}.dcm", profile_named(name)) for name in PROFILES]
    )

    for name in PROFILES:
        stem, jaw, _ = dcmread(tmp_path / f"{name}.dcm").StructureSetROISequence
        assert stem.ROIDescription == "Expected DSC 0.81. Brainstem has 99 cm3."
        assert "ROIDescription" not in jaw


def test_for_eclipse_an_organ_bears_the_code_that_eclipse_writes(slices: list[Path], tmp_path: Path) -> None:
    """FMA, with the side in the code, and with the version of the context group."""
    write_outputs(slices, contoured(), [Output(identity(), tmp_path / "rs.dcm", profile_named("Eclipse"))])

    [code] = dcmread(tmp_path / "rs.dcm").RTROIObservationsSequence[2].RTROIIdentificationCodeSequence
    assert (code.CodingSchemeDesignator, code.CodeValue, code.CodeMeaning) == ("FMA", "59798", "Left parotid gland")
    assert (code.ContextIdentifier, code.ContextGroupVersion, code.MappingResource) == ("VMS011", "20161209", "99VMS")


@pytest.mark.parametrize("organ", [organ for organ in BY_NAME.values() if organ.laterality])
def test_the_fma_name_of_an_organ_says_its_side(organ) -> None:
    """A code of the wrong side would be seen by nobody."""
    assert organ.fma_meaning.startswith({"L": "Left ", "R": "Right "}[organ.laterality])


def test_structure_sets_and_segmentation_are_the_same_bytes_again(slices: list[Path], tmp_path: Path) -> None:
    """Same masks, names and identity: same files."""
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        structure_set = Output(identity(), folder / "rs.dcm", profile_named("eclipse", OF_THE_SITE))
        segmentation = Output(OF_SEG, folder / "seg.dcm", profile_named("clinical", OF_THE_SITE), "SEG")
        write_outputs(slices, contoured(), [structure_set, segmentation])

    for name in ("rs.dcm", "seg.dcm"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert segread(tmp_path / "a" / "seg.dcm").get_segment_numbers(segment_label="Parotis li") == [3]


def test_a_broken_rule_of_the_lint_stops_everything(slices: list[Path], tmp_path: Path) -> None:
    """An interpreted type that no system knows is a warning, which in a file of ours is too much: no file appears."""
    odd = replace(PLAIN["Brainstem"], interpreted_type="STEM")
    outputs = [
        Output(OF_SEG, tmp_path / "seg.dcm", profile_named("clinical"), "SEG"),
        Output(identity(), tmp_path / "rs.dcm", profile_named("clinical", {**PLAIN, "Brainstem": odd})),
    ]

    with pytest.raises(StructureSetError, match=r"interpreted-type at RTROIObservationsSequence\[0\]"):
        write_outputs(slices, contoured(), outputs)
    assert list(tmp_path.iterdir()) == []


def test_a_segmentation_that_loses_a_voxel_stops_everything(slices: list[Path], tmp_path: Path) -> None:
    """Where two organs share voxels, a segmentation of disjoint labels holds them once: it is not written."""
    outputs = [Output(identity(), tmp_path / "rs.dcm"), Output(OF_SEG, tmp_path / "seg.dcm", modality="SEG")]
    mandible = small_phantom().masks["Bone_Mandible"]
    shared = int(np.count_nonzero(mandible))

    with pytest.raises(StructureSetError, match=f"Bone_Mandible: {shared} voxels of the segmentation differ"):
        write_outputs(slices, contoured(Parotid_L=OrganMask.from_full(mandible)), outputs)
    assert list(tmp_path.iterdir()) == []

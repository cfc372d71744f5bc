"""The site's names, colours and rule of approval."""

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from dicomnode.errors import ConfigurationError
from dicomnode.structure_settings import (
    OrganSettings,
    StructureSettings,
    load_structure_settings,
    structure_settings,
    writing_settings,
)
from segmentation.approval import ApprovalRule
from segmentation.names import match_name
from segmentation.structures import BY_NAME

SAMPLE = Path(__file__).parents[3] / "etc" / "structures.toml"


def written(tmp_path, text):
    """Return the path of a file with this text."""
    path = tmp_path / "structures.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_sample_is_what_holds_without_a_file():
    """Every organ and every key is in it, with its default."""
    document = tomllib.loads(SAMPLE.read_text(encoding="utf-8"))

    assert load_structure_settings(SAMPLE) == StructureSettings()
    assert list(document["organs"]) == list(BY_NAME)
    assert all(set(organ) == set(OrganSettings.model_fields) for organ in document["organs"].values())
    assert set(document["approval"]) == {field.name for field in fields(ApprovalRule)}


@pytest.mark.parametrize("organ", BY_NAME)
def test_names_are_those_of_tg263(organ):
    """What a ROI is called by default is its TG-263 name, of at most 16 characters."""
    name = StructureSettings().organs[organ].roi_name

    assert name == organ
    assert len(name) <= 16


def test_a_file_changes_what_it_names(tmp_path):
    """The rest is as without it; the site's ROI name is also known when it comes back."""
    text = '[organs.Parotid_L]\nroi_name = "OSD li"\nsynonyms = ["Ohr 1"]\n[approval]\nlabel = "Final"\n'
    found = load_structure_settings(written(tmp_path, text))

    assert found.organs["Parotid_L"].colour == StructureSettings().organs["Parotid_L"].colour
    assert found.organs["Lens_L"] == StructureSettings().organs["Lens_L"]
    assert found.approval == ApprovalRule(label="Final")
    assert [match_name(name, found.own_names()).organ for name in ("osd LI", "Ohr_1")] == ["Parotid_L"] * 2


def test_a_name_that_is_not_of_tg263_is_remarked_upon_and_allowed(tmp_path):
    """Its reverse order is of TG-263 too."""
    text = '[organs.Parotid_L]\nroi_name = "Parotis li"\n[organs.Parotid_R]\nroi_name = "R_Parotid"\n'
    found = load_structure_settings(written(tmp_path, text))

    assert found.remarks() == [
        "organs.Parotid_L.roi_name: 'Parotis li' is not of TG-263, which has Parotid_L and L_Parotid"
    ]


@pytest.mark.parametrize(
    "text",
    ['roi_name = "Cord"', "colour = [1, 2, 3]", 'interpreted_type = "AVOIDANCE"'],
)
def test_what_changes_the_file_changes_the_settings_of_its_uid(tmp_path, text):
    """And nothing else does: a synonym changes no file."""
    changed = load_structure_settings(written(tmp_path, f"[organs.SpinalCord]\n{text}\n"))
    with_synonym = load_structure_settings(written(tmp_path, '[organs.SpinalCord]\nsynonyms = ["RM"]\n'))

    plain = writing_settings("clinical", StructureSettings())
    assert writing_settings("clinical", changed) != plain
    assert writing_settings("eclipse", StructureSettings()) != plain
    assert writing_settings("clinical", with_synonym) == plain


def test_every_fault_is_in_one_message(tmp_path):
    """Each begins with its key."""
    text = '[organs.Lens_L]\nx = 1\nroi_name = "Linse links des Auges"\ncolour = [1, 2, 300]\n[approval]\nlabel = "("\n'
    with pytest.raises(ConfigurationError) as caught:
        load_structure_settings(written(tmp_path, text))

    assert len(caught.value.faults) == 4
    for key in ("organs.Lens_L.x", "organs.Lens_L.roi_name", "organs.Lens_L.colour.2", "approval: label"):
        assert key in str(caught.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[organs.Chiasm]\n", "Chiasm: not one of the organs"),
        ('[organs.Lens_L]\nroi_name = "lens_r"\n', "one organ's alone"),
        ('[organs.Lens_L]\nroi_name = "Right Lens"\n', "means Lens_R everywhere else"),
        ('[organs.Lens_L]\nsynonyms = ["A"]\n[organs.Lens_R]\nsynonyms = ["a"]\n', "stands for Lens_L and for Lens_R"),
        ("[organs\n", "no valid TOML"),
    ],
)
def test_organs_are_not_confused(tmp_path, text, fault):
    """A site's name stands for one organ, and never for the other side."""
    with pytest.raises(ConfigurationError, match=fault):
        load_structure_settings(written(tmp_path, text))


def test_the_file_that_is_named_must_be_there(tmp_path):
    """The installed one need not."""
    assert structure_settings(None, tmp_path / "absent.toml") == StructureSettings()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        structure_settings(tmp_path / "absent.toml", SAMPLE)

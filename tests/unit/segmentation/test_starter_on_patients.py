import tarfile
from pathlib import Path

import numpy as np
import pytest

from adaptation.openkbp import list_patients
from segmentation.bundle import shipped_bundle, verify_bundle
from segmentation.ct import read_ct_series
from segmentation.geometry import Grid
from segmentation.plausibility import has_head_and_neck, implausible
from segmentation.predict import load_predictor
from segmentation.volume import Volume

OTHER_CENTRE = Path(__file__).parents[4] / "shared/data/openkbp/target"
REAL_CT = Path(__file__).parents[4] / "shared/data/head_neck_ct/picker_pq2000_90_slices.tar.xz"
pytestmark = [pytest.mark.real_data, pytest.mark.slow]


@pytest.fixture(scope="module")
def starter():
    return load_predictor(shipped_bundle("starter"), "cpu")


@pytest.fixture(scope="module")
def volume(tmp_path_factory):
    if not REAL_CT.exists():
        pytest.skip("the public head-and-neck CT beside the checkout is absent")
    folder = tmp_path_factory.mktemp("ct")
    with tarfile.open(REAL_CT) as archive:
        archive.extractall(folder, filter="data")
    return read_ct_series(sorted(folder.rglob("*.dcm"))).volume


def part_of(volume, slices):
    grid = volume.grid
    part = Grid(
        grid.origins[slices],
        grid.row_direction,
        grid.column_direction,
        grid.row_spacing_mm,
        grid.column_spacing_mm,
        grid.rows,
        grid.columns,
    )
    return Volume(volume.hu[slices], part)


def test_five_organs_are_found_on_a_real_patient(starter, volume):
    """At 1 x 1 x 3 mm, of which the model knows nothing, the organs are of human size and in their places."""
    contouring = starter.predict(volume)

    assert contouring.not_found == ()
    assert has_head_and_neck(contouring, volume.grid) == ()
    assert [note for note in implausible(contouring.organs, volume.grid) if "lie" in note] == []


def test_a_mandible_with_a_piece_of_the_vault_is_doubted(starter):
    """On a patient of another centre the model takes a piece of the vault for a second part of the mandible."""
    if not OTHER_CENTRE.exists():
        pytest.skip("the public planning CTs beside the checkout are absent")
    (case,) = [case for case in list_patients(OTHER_CENTRE.parent, ("target",)) if case.name == "target/pt_21"]

    doubts = starter.predict(case.load().volume).doubts

    assert [organ for organ, said in doubts.items() if "2 parts" in said[0]] == ["Bone_Mandible"]


def test_shoulders_alone_are_no_head(starter, volume):
    """The lowest slices of the same patient are recognised as another part of the body."""
    shoulders = part_of(volume, slice(0, 24))

    assert has_head_and_neck(starter.predict(shoulders), shoulders.grid)


def test_cylinder_is_no_head(starter):
    """A water phantom is not a patient."""
    origins = np.zeros((40, 3))
    origins[:, 2] = np.arange(40) * 3.0
    grid = Grid(origins, np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), 1.0, 1.0, 256, 256)
    rows, columns = np.indices((256, 256)) - 128
    disc = np.where(rows**2 + columns**2 < 100**2, 0, -1000).astype(np.int16)

    volume = Volume(np.repeat(disc[None], 40, axis=0), grid)

    assert has_head_and_neck(starter.predict(volume), grid)


@pytest.mark.parametrize("name", ["starter", "demo"])
def test_shipped_bundles_verify(name):
    """What comes with the project is whole, and small enough to come with it."""
    folder = shipped_bundle(name)

    assert verify_bundle(folder).name == name
    assert sum(path.stat().st_size for path in folder.iterdir()) < 8e6

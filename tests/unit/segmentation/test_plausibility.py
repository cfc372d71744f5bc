import numpy as np
import pytest

from segmentation.contouring import Contouring
from segmentation.geometry import Grid
from segmentation.organ_mask import OrganMask
from segmentation.phantom import build_phantom
from segmentation.plausibility import has_head_and_neck, implausible
from segmentation.structures import MIRRORED


@pytest.fixture(scope="module")
def phantom():
    return build_phantom(11, rows=256, columns=256, pixel_mm=2.0, slice_mm=3.0)


def masks_of(phantom):
    return {name: OrganMask.from_full(mask) for name, mask in phantom.masks.items()}


def contouring(organs):
    return Contouring(organs, (), (), "small", "1", "0" * 64)


def test_organs_of_a_phantom_are_plausible(phantom):
    """Organs of human size in human places are not remarked on, and show a head and neck."""
    organs = masks_of(phantom)

    assert implausible(organs, phantom.volume.grid) == ()
    assert has_head_and_neck(contouring(organs), phantom.volume.grid) == ()


def test_exchanged_sides_are_remarked_on(phantom):
    """A left gland on the right is named."""
    organs = {MIRRORED[name]: organ for name, organ in masks_of(phantom).items()}

    assert any(note.startswith("Parotid_L") for note in implausible(organs, phantom.volume.grid))


def test_small_organ_is_remarked_on(phantom):
    """An organ of a tenth of its size is named with its volume and what was expected."""
    organ = masks_of(phantom)["Brainstem"]
    organ.mask[: int(organ.mask.shape[0] * 0.85)] = False

    assert any("expected are 8 to 50" in note for note in implausible({"Brainstem": organ}, phantom.volume.grid))


def test_a_cord_alone_is_no_head(phantom):
    """The shoulders and the thorax have a spinal cord too."""
    organs = {"SpinalCord": masks_of(phantom)["SpinalCord"]}

    assert "no head and neck" in has_head_and_neck(contouring(organs), phantom.volume.grid)[0]


def test_scattered_pieces_are_no_head():
    """Organs of human size that lie anywhere but in their places show no head."""
    origins = np.zeros((40, 3))
    origins[:, 2] = np.arange(40) * 3.0
    grid = Grid(origins, np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), 2.0, 2.0, 200, 200)
    shape = (10, 20, 20)  # 48 cm3
    organs = {
        name: OrganMask(grid.shape, (0, 10 + 60 * number, 10), np.ones(shape, dtype=bool))
        for number, name in enumerate(("Brainstem", "Bone_Mandible", "Parotid_L"))
    }

    assert has_head_and_neck(contouring(organs), grid)

"""Tests of what is usual of organs: size, place and parts."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from adaptation.openkbp import list_patients
from segmentation.contouring import Contouring
from segmentation.geometry import Grid
from segmentation.organ_mask import OrganMask
from segmentation.phantom import build_phantom
from segmentation.plausibility import MOST_PARTS, doubts_about, has_head_and_neck, implausible, parts_of
from segmentation.structures import MIRRORED
from tests.support.two_observers import DATA, FILES, SCANS, read_nrrd

OPENKBP = Path(__file__).parents[4] / "shared/data/openkbp"


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


def test_a_cord_in_two_pieces_is_remarked_on(phantom):
    """A gap of two slices makes two parts, which are named with their volumes."""
    organ = masks_of(phantom)["SpinalCord"]
    middle = organ.mask.shape[0] // 2
    organ.mask[middle : middle + 2] = False

    (doubt,) = doubts_about({"SpinalCord": organ}, phantom.volume.grid)["SpinalCord"]

    sizes = [part.sum() * phantom.volume.grid.voxel_cm3 for part in (organ.mask[:middle], organ.mask[middle + 2 :])]
    listed = " and ".join(f"{size:.2g}" for size in sorted(sizes, reverse=True))
    assert doubt == f"SpinalCord is in 2 parts that do not touch, of {listed} cm3."


def test_parts_that_touch_at_a_corner_are_one():
    """A thin organ on thick slices hangs together by corners; a stray voxel is no part."""
    mask = np.zeros((6, 10, 10), dtype=bool)
    mask[0:2, 0:5, 0:5] = mask[2:4, 5:9, 5:9] = True
    mask[5, 9, 0] = True

    assert len(parts_of(mask)) == 1


def test_a_nerve_in_parts_is_what_observers_draw(phantom):
    """Only more parts than these are remarked on."""
    nerve = np.zeros(phantom.volume.grid.shape, dtype=bool)
    for part in range(4):
        nerve[10 + 2 * part, 20:30, 20:30] = True
    three = nerve.copy()
    three[16] = False

    said = [implausible({"OpticNrv_L": OrganMask.from_full(mask)}, phantom.volume.grid) for mask in (three, nerve)]

    assert [any("parts" in note for note in notes) for notes in said] == [False, True]


@pytest.mark.real_data
@pytest.mark.parametrize("organ", FILES)
def test_observers_draw_no_more_parts(organ):
    """Of 25 scans by two observers each organ is in one part, an optic nerve in three at most."""
    if not SCANS:
        pytest.skip("the public organ masks beside the checkout are absent")
    paths = [path for scan in SCANS for path in DATA.glob(f"*/*/{scan.name}/{FILES[organ]}.nrrd")]

    counts = [len(parts_of(read_nrrd(path).mask)) for path in paths]

    assert len(counts) == 50
    assert max(counts) <= MOST_PARTS.get(organ, 1)


@pytest.mark.real_data
@pytest.mark.slow
def test_physicians_draw_organs_in_one_part():
    """Of 1091 organs of OpenKBP only two cords, which were left out on slices, are in two."""
    if not OPENKBP.exists():
        pytest.skip("the public planning CTs beside the checkout are absent")
    masks = (case.load().masks.items() for case in list_patients(OPENKBP, ("source", "target", "other")))

    counts = Counter((organ, len(parts_of(mask))) for drawn in masks for organ, mask in drawn if mask.any())

    assert counts.total() == 1091
    assert {drawn: count for drawn, count in counts.items() if drawn[1] != 1} == {("SpinalCord", 2): 2}


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

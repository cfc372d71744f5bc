import numpy as np

from adaptation.evidence import Harm
from adaptation.harms import harms_of
from adaptation.labelled_ct import LabelledCt
from adaptation.openkbp import axial_grid
from segmentation.organ_mask import OrganMask
from segmentation.volume import Volume

SHAPE = (6, 20, 20)


def box(rows, columns):
    mask = np.zeros(SHAPE, dtype=np.bool_)
    mask[1:5, slice(*rows), slice(*columns)] = True
    return mask


LEFT, RIGHT, MIDDLE = box((8, 12), (12, 16)), box((8, 12), (4, 8)), box((8, 12), (9, 11))


def patient(**drawn):
    """Return a CT of tissue in its middle and air around, with what was drawn."""
    hu = np.full(SHAPE, -1000, dtype=np.int16)
    hu[:, 2:18, 2:18] = 40
    return LabelledCt(Volume(hu, axial_grid(SHAPE, np.array([3.0, 1.0, 1.0]))), drawn)


def harms(labelled, **found):
    return harms_of("case", {organ: OrganMask.from_full(mask) for organ, mask in found.items()}, labelled)


def test_organs_in_their_place_are_no_harm():
    """Nor is one that nobody drew."""
    labelled = patient(Parotid_L=LEFT, Parotid_R=RIGHT)

    assert harms(labelled, Parotid_L=LEFT, Parotid_R=RIGHT, Brainstem=MIDDLE, Lens_L=LEFT) == ()


def test_swapped_organs_are_two_harms():
    """Each lies where the other was drawn."""
    labelled = patient(Parotid_L=LEFT, Parotid_R=RIGHT)

    found = harms(labelled, Parotid_L=RIGHT, Parotid_R=LEFT)
    assert found == tuple(Harm("case", organ, "lies on the wrong side") for organ in ("Parotid_L", "Parotid_R"))


def test_an_organ_on_the_other_side_is_seen_where_only_that_was_drawn():
    """The left one was not drawn, and what is called left lies on the right one."""
    assert [one.organ for one in harms(patient(Parotid_R=RIGHT), Parotid_L=RIGHT)] == ["Parotid_L"]


def test_an_organ_in_the_air_is_a_harm():
    """Most of its voxels are air; an organ at the skin is none."""
    assert [one.what for one in harms(patient(), Brainstem=box((0, 4), (0, 3)))] == ["lies outside the body"]
    assert harms(patient(), Brainstem=box((1, 8), (5, 9))) == ()

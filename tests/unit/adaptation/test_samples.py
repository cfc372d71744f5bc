import dataclasses

import numpy as np
import pytest
import torch

from adaptation.labelled_ct import LabelledCt
from adaptation.openkbp import axial_grid
from adaptation.samples import Prepared, Sampler, Variation, cut, gaussian_taps, prepare
from segmentation.bundle import Preprocessing
from segmentation.volume import Volume

ORGANS = ("SpinalCord", "Parotid_L", "Parotid_R")
STILL = Variation(
    crop=32, slices=4, jitter=0.0, scale=(1.0, 1.0), degrees=0.0, flip=False, hu_shift=0, hu_gain=0, noise_hu=0,
    blur_pixels=0,
)  # fmt: skip


@pytest.fixture(scope="module")
def prepared():
    labels = np.zeros((6, 40, 40), dtype=np.uint16)
    labels[2:4, 18:22, 18:22] |= 1
    labels[2:4, 18:22, 28:32] |= 2
    labels[2:4, 18:22, 8:12] |= 4
    hu = np.where(labels > 0, labels.astype(np.int16) * 100, 0).astype(np.int16)
    return Prepared(hu, labels, np.ones((6, 3), dtype=bool))


def sampler(prepared, variation):
    return Sampler([prepared], ORGANS, (-1, 0, 1), variation)


def test_batch_is_the_same_whenever_it_is_asked_for(prepared):
    """A training that is resumed sees what it would have seen."""
    variation = Variation(crop=32, slices=4)
    one, other = sampler(prepared, variation).batch(1, 7), sampler(prepared, variation).batch(1, 7)

    assert torch.equal(one.slices, other.slices)
    assert torch.equal(one.drawn.masks, other.drawn.masks)
    assert not torch.equal(one.slices, sampler(prepared, variation).batch(1, 8).slices)


def test_mask_lies_on_what_it_was_drawn_on(prepared):
    """However a sample is turned and scaled, its mask is where the organ's HU are."""
    variation = dataclasses.replace(STILL, slices=24, jitter=4.0, scale=(0.8, 1.2), degrees=15.0)

    batch = sampler(prepared, variation).batch(1, 1)

    shown = torch.stack([batch.slices[:, 1][batch.drawn.masks[:, bit] > 0].median() for bit in range(3)])
    assert torch.allclose(shown, torch.tensor([100.0, 200.0, 400.0]), rtol=0.1)


def test_flip_exchanges_left_and_right(prepared):
    """In a mirrored sample the organ on the left is the left one: channels are exchanged with the sides."""
    variation = dataclasses.replace(STILL, crop=64, flip=True, slices=12, organ_share=1.0)

    masks = sampler(prepared, variation).batch(1, 2).drawn.masks

    both = masks[(masks[:, 1:].sum(dim=(2, 3)) > 0).all(dim=1)].sum(dim=2)
    place = (both * torch.arange(64.0)).sum(dim=2) / both.sum(dim=2)
    assert len(both) > 1
    assert torch.all(place[:, 1] > place[:, 2] + 15)


def test_one_side_alone_is_never_mirrored(prepared):
    """A network for the left parotid must not learn that the right one is it."""
    one_side = Prepared(prepared.hu, (prepared.labels >> np.uint16(1)) & np.uint16(1), prepared.was_drawn[:, :1])
    variation = dataclasses.replace(STILL, crop=64, flip=True, slices=24, organ_share=1.0)

    batch = Sampler([one_side], ("Parotid_L",), (-1, 0, 1), variation).batch(1, 2)

    assert batch.slices[:, 1][batch.drawn.masks[:, 0] > 0].unique().tolist() == [200.0]


def test_every_organ_is_seen(prepared):
    """Slices with an organ are drawn more often than there are of them."""
    batch = sampler(prepared, dataclasses.replace(STILL, slices=16)).batch(1, 3)

    assert torch.all(batch.drawn.masks.sum(dim=(0, 2, 3)) > 0)


def test_square_over_the_edge_is_filled():
    """What lies outside of the picture is air."""
    planes = np.ones((1, 4, 4), dtype=np.int16)

    square = cut(planes, np.array([-2, 2]), 4, -1024)

    assert (square == 1).sum() == 4
    assert np.all(square[0, 2:, :2] == 1)


def test_no_blur_changes_nothing():
    """A kernel of no width is the identity."""
    assert np.allclose(gaussian_taps(np.zeros(1)), [[0, 0, 1, 0, 0]])


def test_cord_below_its_lowest_contour_is_not_background():
    """Where somebody stopped to draw, the cord goes on: those slices do not count for it."""
    hu = np.full((9, 32, 32), 40, dtype=np.int16)
    cord = np.zeros(hu.shape, dtype=bool)
    cord[4:7, 14:18, 14:18] = True
    case = LabelledCt(Volume(hu, axial_grid(hu.shape, np.array([2.5, 4.0, 4.0]))), {"SpinalCord": cord})

    prepared = prepare(case, ("SpinalCord", "Brainstem"), Preprocessing(pixel_mm=4.0, slice_mm=2.5))

    assert prepared.was_drawn[:, 0].tolist() == [False] * 4 + [True] * 5
    assert not prepared.was_drawn[:, 1].any()

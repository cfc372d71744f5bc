import math

import numpy as np
import pytest
import torch

from adaptation.samples import Prepared
from adaptation.whole_slices import SliceSampler, WholeSlices, cropped

ORGANS = ("Parotid_L", "Parotid_R")


@pytest.fixture(scope="module")
def prepared():
    labels = np.zeros((5, 40, 60), dtype=np.uint16)
    labels[:, 15:25, 35:45] |= 1
    labels[:, 15:25, 15:25] |= 2
    hu = np.where(labels > 0, labels.astype(np.int16) * 100, 0).astype(np.int16)
    return Prepared(hu, labels, np.tile([True, False], (5, 1)))


def batch_of(prepared, number, **changes):
    settings = WholeSlices(**{"crop": 48, "slices": 12, **changes})
    return SliceSampler([prepared, prepared], ORGANS, (-1, 0, 1), settings).batch(1, number)


def test_paper_s_numbers_are_the_defaults():
    """Section 2.3: five scales, 10 degrees, 417 x 417, one slice at a time."""
    assert WholeSlices() == WholeSlices(417, 1, (0.5, 0.75, 1.0, 1.25, 1.5), 10.0)


def test_batch_is_the_same_whenever_it_is_asked_for(prepared):
    """A training that is resumed sees what it would have seen."""
    one, other = batch_of(prepared, 7), batch_of(prepared, 7)

    assert torch.equal(one.slices, other.slices)
    assert torch.equal(one.drawn.masks, other.drawn.masks)
    assert not torch.equal(one.slices, batch_of(prepared, 8).slices)


def test_mask_lies_on_what_it_was_drawn_on(prepared):
    """However a slice is turned, scaled and cropped, its masks are where the organ's HU are."""
    batch = batch_of(prepared, 1, slices=40)

    shown = [batch.slices[:, 1][batch.drawn.masks[:, bit] > 0].median() for bit in range(2)]

    assert torch.stack(shown).tolist() == pytest.approx([100, 200], rel=0.05)


def test_what_was_padded_is_air_and_does_not_count(prepared):
    """At half the size, 20 x 30 pixels of 48 x 48 are CT, all of them in sight; the rest is -1024 HU and ignored."""
    batch = batch_of(prepared, 2, scales=(0.5,), degrees=0.0)
    inside = batch.drawn.inside

    assert inside.sum(dim=(1, 2, 3)).tolist() == pytest.approx([600] * 12, rel=0.06)
    assert torch.all(batch.slices[:, :1][far_from(inside)] == -1024)


def far_from(inside):
    """Return where no pixel of the CT is a neighbour."""
    return torch.nn.functional.max_pool2d(inside, 5, 1, 2) == 0


def test_crop_reaches_every_edge_of_a_larger_slice(prepared):
    """At one and a half, what is seen is CT throughout, and crops of many slices see all of it."""
    batch = batch_of(prepared, 3, scales=(1.5,), degrees=0.0, slices=64)

    assert torch.all(batch.drawn.inside == 1)
    assert (batch.drawn.masks.sum(dim=(2, 3)) < 200).any(dim=0).all()


def test_organ_that_nobody_drew_does_not_count(prepared):
    """The case says of each slice what was drawn."""
    assert batch_of(prepared, 4).drawn.was_drawn.tolist() == [[1.0, 0.0]] * 12


def test_a_slice_that_is_not_changed_is_the_slice(prepared):
    """At scale 1 without a turn, a crop of the slice's own size is the slice, to the pixel."""
    plane = torch.from_numpy(prepared.hu[:1, :, 10:50].astype(np.float32))[None]

    assert torch.allclose(cropped(plane, 1.0, 0.0, np.array([0.3, 0.8]), 40), plane, atol=1e-2)


def test_a_slice_is_turned_by_the_angle():
    """What lies to the right of the middle comes to lie above it after a quarter turn, as far from it."""
    plane = torch.zeros(1, 1, 21, 21)
    plane[..., 10, 18] = 1

    turned = cropped(plane, 1.0, math.pi / 2, np.array([0.5, 0.5]), 21)

    assert np.unravel_index(int(turned.argmax()), (21, 21)) == (2, 10)

"""What of the golden case may differ from one day, or one engine, to the next."""

import numpy as np
import pytest

from segmentation.contouring import Contouring
from segmentation.golden import compare_with_kept
from segmentation.organ_mask import OrganMask


def drawn(voxels: int, of: int = 1000) -> Contouring:
    """A model that drew a lens of so many voxels."""
    mask = (np.arange(of) < voxels).reshape(10, 10, -1)
    return Contouring({"Lens_R": OrganMask(mask.shape, (0, 0, 0), mask)}, (), (), "small", "1", "0" * 64)


@pytest.mark.parametrize(
    ("voxels", "now", "is_same"), [(22, 21, True), (22, 19, False), (900, 890, True), (900, 870, False)]
)
def test_a_voxel_or_two_at_an_edge_may_move(voxels, now, is_same):
    """Which is much of a lens, and little of a lobe: there the share counts."""
    assert (compare_with_kept(drawn(now), drawn(voxels)).faults == ()) is is_same


def test_an_organ_that_went_is_a_fault():
    """However small it is."""
    gone = Contouring({}, ("Lens_R",), (), "small", "1", "0" * 64)

    assert compare_with_kept(gone, drawn(1)).faults == ("Lens_R: DSC 0.0000 with the kept result",)

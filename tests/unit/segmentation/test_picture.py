"""A picture of a structure set."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread
from pydicom import Dataset

from segmentation.ct import CtSeries, read_ct_series
from segmentation.organ_mask import OrganMask
from segmentation.phantom_series import write_series
from segmentation.picture import choose_slices, contours_by_slice, draw_contours, frame_around
from segmentation.rtstruct import build_structure_set
from tests.support.series import lying, series_of, small_phantom
from tests.support.structure_sets import identity


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[CtSeries, Dataset]:
    """A phantom's CT with the structure set of two of its organs."""
    phantom = lying(small_phantom(), "HFP")
    paths = write_series(series_of(small_phantom(), position="HFP"), tmp_path_factory.mktemp("ct"))
    ct = read_ct_series(paths)
    organs = {name: OrganMask.from_full(phantom.masks[name]) for name in ("Parotid_L", "Bone_Mandible")}
    return ct, build_structure_set(organs, ct.headers, ct.volume.grid, identity())


def test_the_picture_shows_the_contours_in_their_colours(drawn: tuple[CtSeries, Dataset], tmp_path: Path) -> None:
    """A left parotid's blue is on the right of the picture, whichever way the patient lies."""
    draw_contours(*drawn, tmp_path / "picture.png", pictures=1)

    pixels = imread(tmp_path / "picture.png")[..., :3]
    blue = (pixels[..., 2] > 0.8) & (pixels[..., 0] < 0.2)
    rows, columns = np.nonzero(blue[: int(pixels.shape[0] * 0.85)])  # the legend is below
    assert len(rows) > 50
    assert columns.mean() > pixels.shape[1] / 2


def test_contours_lie_on_the_slice_that_they_name(drawn: tuple[CtSeries, Dataset]) -> None:
    """Each by its place along the normal."""
    ct, structure_set = drawn

    for index, organs in contours_by_slice(ct, structure_set).items():
        heights = np.concatenate([ring[:, 2] for rings in organs.values() for ring in rings])
        assert np.allclose(heights, ct.volume.grid.origins[index, 2], atol=0.01)


def test_the_frame_holds_every_contour(drawn: tuple[CtSeries, Dataset]) -> None:
    """With some of the body around them."""
    contours = contours_by_slice(*drawn)
    points = np.vstack([ring for organs in contours.values() for rings in organs.values() for ring in rings])

    left, right, front, back = frame_around(contours)

    assert left < points[:, 0].min() < points[:, 0].max() < right
    assert front < points[:, 1].min() < points[:, 1].max() < back


@given(
    st.dictionaries(st.integers(0, 60), st.sets(st.sampled_from("abcdef"), min_size=1), max_size=30), st.integers(1, 8)
)
def test_the_chosen_slices_show_as_many_organs_as_they_can(contours: dict[int, set[str]], most: int) -> None:
    """With room for as many slices as there are organs, every organ is seen."""
    chosen = choose_slices({index: {organ: [] for organ in organs} for index, organs in contours.items()}, most)

    assert chosen == sorted(set(chosen))
    assert len(chosen) == min(most, len(contours))
    shown = {organ for index in chosen for organ in contours[index]}
    every = {organ for organs in contours.values() for organ in organs}
    assert shown == every or len(chosen) < len(every)

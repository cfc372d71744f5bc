"""Masks in a file: what goes in comes out, and only onto the CT that they were made on."""

from dataclasses import replace

import numpy as np
import pytest

from segmentation.errors import StructureSetError
from segmentation.mask_file import load_masks, save_masks
from segmentation.organ_mask import OrganMask
from tests.support.structure_sets import GEOMETRIES, ROOT, grid_of, organs_of


@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
def test_masks_come_back(tmp_path, geometry):
    """Every voxel, in every position."""
    masks, grid = organs_of(geometry), grid_of(geometry)
    save_masks(tmp_path / "masks.npz", masks, grid, ROOT)
    found = load_masks(tmp_path / "masks.npz", grid, ROOT)

    assert found.empty == ()
    assert {name: mask.full().tobytes() for name, mask in found.masks.items()} == {
        name: mask.full().tobytes() for name, mask in masks.items()
    }


def test_numpy_reads_the_masks_by_name(tmp_path):
    """A research tool needs nothing of this project."""
    geometry = GEOMETRIES["anisotropic"]
    masks = {"Tumeur / éval": organs_of(geometry)["Brainstem"]}
    save_masks(tmp_path / "masks.npz", masks, grid_of(geometry), ROOT)

    with np.load(tmp_path / "masks.npz") as arrays:
        assert arrays["Tumeur / éval.mask"].sum() == masks["Tumeur / éval"].mask.sum()
        assert arrays["spacing_mm"].tolist() == [3.0, 1.2, 0.8]


def test_the_same_masks_make_the_same_bytes(tmp_path):
    """A file does not bear the time at which it was written."""
    geometry = GEOMETRIES["HFS"]
    for name in ("one", "other"):
        save_masks(tmp_path / name, organs_of(geometry), grid_of(geometry), ROOT)

    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_masks_are_not_put_on_another_ct(tmp_path):
    """Another frame of reference, place or size is another CT."""
    grid = grid_of(GEOMETRIES["HFS"])
    save_masks(tmp_path / "masks.npz", organs_of(GEOMETRIES["HFS"]), grid, ROOT)
    moved = replace(grid, origins=grid.origins + np.array([0.0, 0.5, 0.0]))
    fewer = replace(grid, origins=grid.origins[1:])

    for other, uid, fault in ((grid, "1.2.3", "frame_of_ref"), (moved, ROOT, "origins_mm"), (fewer, ROOT, "shape")):
        with pytest.raises(StructureSetError, match=f"of another CT: .*{fault}"):
            load_masks(tmp_path / "masks.npz", other, uid)


def test_empty_masks_are_named(tmp_path):
    """A mask without a voxel is no organ."""
    grid = grid_of(GEOMETRIES["HFS"])
    empty = OrganMask(grid.shape, (0, 0, 0), np.zeros((1, 1, 1), dtype=np.bool_))
    save_masks(tmp_path / "masks.npz", {"Lens_L": empty}, grid, ROOT)
    found = load_masks(tmp_path / "masks.npz", grid, ROOT)

    assert (found.masks, found.empty) == ({}, ("Lens_L",))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x05\x06" + bytes(18)])
def test_other_files_are_refused(tmp_path, content):
    """In a sentence that names the file."""
    (tmp_path / "masks.npz").write_bytes(content)

    with pytest.raises(StructureSetError, match=r"masks\.npz is no file of masks"):
        load_masks(tmp_path / "masks.npz", grid_of(GEOMETRIES["HFS"]), ROOT)

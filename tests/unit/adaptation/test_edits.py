"""What came of our contours: untouched, edited, or drawn anew."""

import numpy as np
import pytest
from numpy.typing import NDArray

from adaptation.case_record import Edit, Origin
from adaptation.edits import Sent, compare_with_sent, edited_slices, nearest, origin_of
from adaptation.openkbp import axial_grid
from segmentation.organ_mask import OrganMask

SHAPE = (12, 40, 40)
GRID = axial_grid(SHAPE, np.array([3.0, 1.0, 1.0]))


def box(rows: tuple[int, int] = (10, 30), columns: tuple[int, int] = (10, 30)) -> NDArray[np.bool_]:
    mask = np.zeros(SHAPE, dtype=np.bool_)
    mask[2:10, rows[0] : rows[1], columns[0] : columns[1]] = True
    return mask


def edit_of(approved: NDArray[np.bool_]) -> Edit:
    return compare_with_sent("Parotid_L", OrganMask.from_full(approved), OrganMask.from_full(box()), GRID)


def test_what_was_left_as_it_was_is_untouched() -> None:
    """The same mask has no edited slice and perfect figures."""
    edit = edit_of(box())

    assert edit == Edit(1.0, 1.0, 0.0, 0.0, 1.0, 0.0)
    assert origin_of(edit, "") is Origin.UNTOUCHED


def test_the_raster_of_a_planning_system_is_no_edit() -> None:
    """A few pixels at the border of each slice are what a second raster leaves."""
    mask = box()
    mask[:, 10, 10:14] = False

    assert origin_of(edit_of(mask), "") is Origin.UNTOUCHED


def test_some_slices_that_differ_are_an_edit() -> None:
    """Two of eight slices were changed: a quarter."""
    mask = box()
    mask[4:6, 10:16] = False

    edit = edit_of(mask)

    assert edit.edited_slices == pytest.approx(0.25)
    assert edit.volume_ratio < 1
    assert edit.added_path_mm > 0
    assert origin_of(edit, "") is Origin.EDITED


def test_slices_that_were_added_or_removed_are_edited_slices() -> None:
    """A slice with an organ on one side only differs."""
    mask = box()
    mask[2] = False

    assert edited_slices(box(), mask) == pytest.approx(1 / 8)


def test_what_differs_on_every_slice_was_drawn_from_nothing() -> None:
    """A contour that nowhere follows ours was not made of it."""
    assert origin_of(edit_of(box(columns=(14, 36))), "MANUAL") is Origin.DE_NOVO


@pytest.mark.parametrize("algorithm", ["AUTOMATIC", "SEMIAUTOMATIC", " semiautomatic "])
def test_a_planning_system_may_say_that_a_program_drew_it(algorithm: str) -> None:
    """ROI Generation Algorithm tells an edit of every slice from a new drawing."""
    assert origin_of(edit_of(box(columns=(14, 36))), algorithm) is Origin.EDITED


def test_a_smoothed_organ_was_edited() -> None:
    """Every slice a little different, as a whole almost the same."""
    mask = box(columns=(11, 30))

    edit = edit_of(mask)

    assert edit.edited_slices == 1.0
    assert origin_of(edit, "MANUAL") is Origin.EDITED


def test_without_anything_sent_it_was_drawn_from_nothing() -> None:
    """No contour of ours, no edit."""
    assert origin_of(None, "AUTOMATIC") is Origin.DE_NOVO


def test_a_small_organ_is_measured_with_a_small_tolerance() -> None:
    """A shift of 1.5 mm is within 2 mm of a parotid, and beyond 1 mm of a lens."""
    grid = axial_grid(SHAPE, np.array([3.0, 1.5, 1.5]))
    moved = OrganMask.from_full(np.roll(box(), 1, axis=2))
    ours = OrganMask.from_full(box())

    assert compare_with_sent("Parotid_L", moved, ours, grid).surface_dice == 1.0
    assert compare_with_sent("Lens_L", moved, ours, grid).surface_dice < 1.0


def test_of_several_that_were_sent_the_one_that_was_edited_is_found() -> None:
    """The most alike is taken, of equals the last; with nothing sent there is none."""
    approved = {"Parotid_L": OrganMask.from_full(box())}
    far = Sent("far", {"Parotid_L": OrganMask.from_full(box(columns=(20, 39)))})
    near = Sent("near", {"Parotid_L": OrganMask.from_full(box(columns=(11, 30)))})

    assert nearest(approved, [near, far]) is near
    assert nearest(approved, [far, Sent("again", far.organs)]).model_digest == "again"
    assert nearest(approved, []) is None

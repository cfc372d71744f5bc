"""CT series of the phantom for tests: in any position, of any pixel shape, whole or with a fault.

A test makes a phantom (`small_phantom`), changes it as a scanner would (`lying`, `squeezed`, `only_slices`), makes a
series of it (`series_of`), spoils that where the test is about a fault (`tilted`, `duplicated`), and writes it
(`segmentation.phantom_series.write_series`).
"""

import copy
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from segmentation.geometry import Grid
from segmentation.phantom import Phantom, build_phantom
from segmentation.phantom_series import build_series
from segmentation.volume import Volume

POSITIONS = ("HFS", "HFP", "FFS", "FFP")
DIRECTIONS = {  # of rows and of columns (PS3.3 C.7.3.1.1.2): +1 to the patient's left or back, -1 to right or front
    "HFS": (1, 1),
    "HFP": (-1, -1),
    "FFS": (-1, 1),
    "FFP": (1, -1),
}


@functools.cache
def small_phantom(
    seed: int = 1,
    *,
    rows: int = 96,
    columns: int = 112,
    pixel_mm: float = 3.0,
    slice_mm: float = 6.0,
    slices: int | None = None,
    top_mm: float | None = None,
) -> Phantom:
    """Return a phantom of few voxels, more columns than rows, made once a run; do not change it."""
    return build_phantom(
        seed, rows=rows, columns=columns, pixel_mm=pixel_mm, slice_mm=slice_mm, slices=slices, top_mm=top_mm
    )


def lying(phantom: Phantom, position: str) -> Phantom:
    """Return an HFS phantom as a scanner shows it of the same patient in another position (PatientPosition)."""
    along_row, along_column = DIRECTIONS[position]
    flips = tuple(axis for axis, sign in ((1, along_column), (2, along_row)) if sign < 0)
    grid = phantom.volume.grid
    corner = np.array(
        [
            (grid.columns - 1) * grid.column_spacing_mm if along_row < 0 else 0.0,
            (grid.rows - 1) * grid.row_spacing_mm if along_column < 0 else 0.0,
            0.0,
        ]
    )
    moved = replace(
        grid,
        origins=grid.origins + corner,
        row_direction=grid.row_direction * along_row,
        column_direction=grid.column_direction * along_column,
    )
    return with_voxels(phantom, moved, lambda voxels: np.flip(voxels, flips))


def squeezed(phantom: Phantom, rows_by: int = 1, columns_by: int = 1) -> Phantom:
    """Return a phantom with only every n-th row and column, so that its pixels are not square."""
    grid = phantom.volume.grid
    voxels = phantom.volume.hu[:, ::rows_by, ::columns_by]
    coarser = replace(
        grid,
        row_spacing_mm=grid.row_spacing_mm * rows_by,
        column_spacing_mm=grid.column_spacing_mm * columns_by,
        rows=voxels.shape[1],
        columns=voxels.shape[2],
    )
    return with_voxels(phantom, coarser, lambda whole: whole[:, ::rows_by, ::columns_by])


def only_slices(phantom: Phantom, indices: Sequence[int]) -> Phantom:
    """Return a phantom with only these slices, ascending: to leave one out, or to space them unevenly."""
    grid = phantom.volume.grid
    kept = list(indices)
    return with_voxels(phantom, replace(grid, origins=grid.origins[kept]), lambda whole: whole[kept])


def without_slice(phantom: Phantom, index: int) -> Phantom:
    """Return a phantom in which one slice is missing."""
    return only_slices(phantom, [i for i in range(len(phantom.volume.grid.origins)) if i != index])


def unevenly_spaced(phantom: Phantom, thin: int, step: int = 2) -> Phantom:
    """Return a phantom with its first `thin` slices as they are and every `step`-th above them."""
    count = len(phantom.volume.grid.origins)
    return only_slices(phantom, [*range(thin), *range(thin - 1 + step, count, step)])


def with_voxels(phantom: Phantom, grid: Grid, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Phantom:
    """Return a phantom with another grid and with the same change made to its voxels and its masks."""
    hu = np.ascontiguousarray(change(phantom.volume.hu))
    masks = {name: np.ascontiguousarray(change(mask)) for name, mask in phantom.masks.items()}
    return Phantom(Volume(hu, grid), masks)


def series_of(
    phantom: Phantom,
    *,
    seed: int = 1,
    position: str = "HFS",
    patient_id: str | None = None,
    header: Mapping[str, Any] | None = None,
) -> list[Dataset]:
    """Return a phantom's instances, lowest slice first, with header elements changed in all of them.

    Args:
        phantom: an HFS phantom; it is turned here.
        seed: for identity and UIDs.
        position: HFS, HFP, FFS or FFP.
        patient_id: None for one made from the seed.
        header: values by keyword; None as a value takes the element away.
    """
    datasets = build_series(lying(phantom, position), seed=seed, patient_id=patient_id, patient_position=position)
    return [with_header(dataset, header or {}) for dataset in datasets]


def with_header(dataset: Dataset, header: Mapping[str, Any]) -> Dataset:
    """Return a copy with elements changed, by keyword, or taken away, where the value is None."""
    changed = copy.deepcopy(dataset)
    for keyword, value in header.items():
        if value is None:
            changed.pop(keyword, None)
        else:
            setattr(changed, keyword, value)
    changed.file_meta.MediaStorageSOPInstanceUID = changed.SOPInstanceUID
    changed.file_meta.MediaStorageSOPClassUID = changed.SOPClassUID
    return changed


def tilted(datasets: Sequence[Dataset], degrees: float) -> list[Dataset]:
    """Return instances as a scanner with a tilted gantry makes them: planes lean, but are stacked along the table."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    leaning = [1.0, 0.0, 0.0, 0.0, round(cosine, 6), round(-sine, 6)]
    changes = {"ImageOrientationPatient": leaning, "GantryDetectorTilt": round(degrees, 3)}
    return [with_header(dataset, changes) for dataset in datasets]


def duplicated(datasets: Sequence[Dataset], index: int) -> list[Dataset]:
    """Return instances with one more at the place of the one at `index`, with a UID of its own."""
    twin = with_header(datasets[index], {"SOPInstanceUID": generate_uid(entropy_srcs=[datasets[index].SOPInstanceUID])})
    return [*datasets, twin]


def with_one_changed(datasets: Sequence[Dataset], index: int, header: Mapping[str, Any]) -> list[Dataset]:
    """Return instances of which one has other header elements, as `with_header` changes them."""
    return [with_header(dataset, header) if i == index else dataset for i, dataset in enumerate(datasets)]


def localizer_of(dataset: Dataset) -> Dataset:
    """Return an instance that says of itself that it is a localizer (scout view)."""
    return with_header(dataset, {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]})

"""plastimatch as an independent reader of structure sets: its masks, brought onto our grid by their own geometry."""

import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segmentation.geometry import Grid


def read_with_plastimatch(
    structure_set: Path, ct: Path, out: Path, grid: Grid, *options: str
) -> dict[str, NDArray[np.bool_]]:
    """Return the masks that plastimatch reads, by ROI name, on the grid.

    Args:
        structure_set: the file.
        ct: a folder with the CT.
        out: a folder that plastimatch makes.
        grid: of the CT.
        options: of `plastimatch convert`.
    """
    command = ["plastimatch", "convert", "--input", structure_set, "--referenced-ct", ct, *options]
    subprocess.run([*command, "--output-prefix", out, "--prefix-format", "mha"], check=True, capture_output=True)
    images = {path.stem: _image(path.read_bytes()) for path in sorted(out.glob("*.mha"))}
    geometry, _ = next(iter(images.values()))
    assert all(other == geometry for other, _ in images.values())
    voxels = _voxels_of(grid, dict(geometry))
    return {name: values[voxels].reshape(grid.shape) > 0 for name, (_, values) in images.items()}


def _image(content: bytes) -> tuple[tuple[tuple[str, str], ...], NDArray[np.uint8]]:
    """Return the header of a MetaImage of bytes and its values, (slices, rows, columns) as it has them."""
    head, separator, _ = content.partition(b"ElementDataFile = LOCAL\n")
    header = dict(line.split(" = ", 1) for line in head.decode("ascii").splitlines())
    assert header["ElementType"] == "MET_UCHAR"
    columns, rows, slices = (int(size) for size in header["DimSize"].split())
    values = np.frombuffer(content, dtype=np.uint8, offset=len(head) + len(separator)).reshape(slices, rows, columns)
    return tuple(header.items()), values


def _voxels_of(grid: Grid, header: dict[str, str]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices in a MetaImage of every voxel of the grid, each of which must be a voxel of it too."""
    spacing, offset, matrix = (
        np.array(header[key].split(), dtype=float) for key in ("ElementSpacing", "Offset", "TransformMatrix")
    )
    rows, columns = np.indices(grid.shape[1:]).reshape(2, -1).astype(float)
    pixels = np.stack([rows, columns], axis=1)
    places = np.concatenate([grid.to_patient(index, pixels) for index in range(grid.shape[0])])
    # MetaImage gives each axis' direction as a row of its matrix.
    voxels = (places - offset) @ np.linalg.inv(matrix.reshape(3, 3)) / spacing
    assert np.abs(voxels - np.round(voxels)).max() < 0.01, "plastimatch's voxels are not the CT's"
    x, y, z = np.round(voxels).astype(int).T
    return z, y, x

"""Cases as nnU-Net reads them: a folder of NIfTI files, one label a voxel."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adaptation.labelled_ct import Case, LabelledCt
from segmentation.volume import Volume


def one_label(labelled: LabelledCt, organs: Sequence[str]) -> NDArray[np.uint8]:
    """Return a voxel's organ, counted from 1, the first of those that share it; 0 for none of them.

    Where an organ was not drawn, nobody knows of a voxel without a label whether it is that organ: the number after
    the last organ's says so, and nnU-Net leaves such voxels out of its loss.

    Args:
        labelled: a case.
        organs: in the order of their numbers.

    Returns:
        uint8, the CT's shape.
    """
    drawn = {organ: mask for organ, mask in labelled.masks.items() if organ in organs and mask.any()}
    unlabelled = 0 if len(drawn) == len(organs) else len(organs) + 1
    labels = np.full(labelled.volume.grid.shape, unlabelled, dtype=np.uint8)
    for number, organ in reversed(list(enumerate(organs, start=1))):
        if organ in drawn:
            labels[drawn[organ]] = number
    return labels


def spacing_of(volume: Volume) -> tuple[float, float, float]:
    """Return what lies between slices, rows and columns, mm."""
    grid = volume.grid
    return grid.slice_spacing_mm, grid.row_spacing_mm, grid.column_spacing_mm


def write_cases(cases: Sequence[Case], organs: Sequence[str], folder: Path) -> None:
    """Write cases and their description as one of nnU-Net's raw data sets.

    Args:
        cases: axial, slices to the head, rows to the back and columns to the left.
        organs: in the order of their numbers.
        folder: of the data set.
    """
    import SimpleITK  # noqa: PLC0415  # a part of nnU-Net's environment alone

    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for number, case in enumerate(cases):
        labelled = case.load()
        arrays = {
            f"imagesTr/case_{number:03d}_0000.nii.gz": labelled.volume.hu,
            f"labelsTr/case_{number:03d}.nii.gz": one_label(labelled, organs),
        }
        for name, values in arrays.items():
            image = SimpleITK.GetImageFromArray(values)
            image.SetSpacing(spacing_of(labelled.volume)[::-1])
            SimpleITK.WriteImage(image, str(folder / name))
    description = {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, **{organ: n for n, organ in enumerate(organs, 1)}, "ignore": len(organs) + 1},
        "numTraining": len(cases),
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(description), encoding="utf-8")

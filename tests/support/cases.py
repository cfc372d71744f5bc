"""Cases to learn from as a department exports them: a made CT, and the structure set that a physician drew on it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread

from segmentation.ct import read_ct_series
from segmentation.organ_mask import OrganMask
from segmentation.phantom_series import write_series
from segmentation.rtstruct import build_structure_set, encode_structure_set
from tests.support.structure_sets import ROOT, identity
from tests.support.tiny import ORGAN_HU, marked_phantom, marked_series

SLICES = 32


def write_case(
    folder: Path, number: int, *, organs: Sequence[str] = tuple(ORGAN_HU), moved: int = 0, **header: Any
) -> Path:
    """Write patient `number`'s CT and structure set into a folder; return the structure set's file.

    Args:
        folder: is made.
        number: of the patient; another one has the same anatomy and other UIDs.
        organs: that were drawn.
        moved: columns by which the contours lie beside the organs.
        header: attributes of the CT.
    """
    ct = read_ct_series(write_series(marked_series(number, slices=SLICES, header=header), folder / "ct"))
    masks = marked_phantom(SLICES).masks
    drawn = {organ: OrganMask.from_full(np.roll(masks[organ], moved, axis=2)) for organ in organs}
    uids = {"sop_instance_uid": f"{ROOT}.{number}.9.1", "series_instance_uid": f"{ROOT}.{number}.9"}
    ds = build_structure_set(drawn, ct.headers, ct.volume.grid, identity(**uids))
    path = folder / "rs.dcm"
    path.write_bytes(encode_structure_set(ds))
    change(path, {}, algorithm="MANUAL")
    return path


def change(
    path: Path, attributes: Mapping[str, Any], *, algorithm: str = "", names: Mapping[str, str] | None = None
) -> None:
    """Change attributes of a structure set's file, how its ROIs were drawn, and their names."""
    ds = dcmread(path)
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    for roi in ds.StructureSetROISequence:
        roi.ROIGenerationAlgorithm = algorithm or roi.ROIGenerationAlgorithm
        roi.ROIName = (names or {}).get(roi.ROIName, roi.ROIName)
    ds.save_as(path)

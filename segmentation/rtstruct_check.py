"""Whether a structure set gives back the masks that it was made from, voxel by voxel (pure)."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from pydicom import Dataset

from segmentation.errors import StructureSetError
from segmentation.geometry import Grid
from segmentation.lint import breaches, read_subject
from segmentation.organ_mask import OrganMask
from segmentation.profiles import Profile
from segmentation.rtstruct_reader import RoiReading, read_structure_set


def prove(
    content: bytes, organs: Mapping[str, OrganMask], headers: Sequence[Dataset], grid: Grid, profile: Profile
) -> None:
    """Refuse a structure set of ours that does not give the masks back, or breaks a rule or one of its readers'.

    Args:
        content: a DICOM file.
        organs: the masks by the organs' names.
        headers: the CT's datasets, one for each slice of the grid in the same order.
        grid: where the voxels lie.
        profile: for whom it was written.

    Raises:
        StructureSetError: with each fault.
    """
    subject = read_subject(content, headers)
    # First, for it looks at values as they are written: the reader leaves numbers and texts of its own in their place.
    broken = breaches(subject, profile.systems)
    called = {profile.appearances[name].roi_name: organ for name, organ in organs.items()}
    verify_structure_set(subject.ds, called, headers, grid)
    if broken:
        raise StructureSetError("; ".join(f"{fault.rule} at {fault.path}: {fault.text}" for fault in broken))


def verify_structure_set(ds: Dataset, organs: Mapping[str, OrganMask], headers: Sequence[Dataset], grid: Grid) -> None:
    """Read a structure set as a stranger would and compare every organ with its mask.

    Args:
        ds: the structure set, as it was read from its file.
        organs: the masks by ROI name.
        headers: the CT's datasets, one for each slice of the grid in the same order.
        grid: where the voxels lie.

    Raises:
        StructureSetError: with each organ that differs and by how many voxels, is refused, missing or not asked for.
    """
    listed = read_structure_set(ds, headers, grid).rois
    rois = {roi.name: roi for roi in listed}
    repeated = sorted(name for name, count in Counter(roi.name for roi in listed).items() if count > 1)
    faults = [f"{name} is in the structure set more than once" for name in repeated]
    faults += [
        f"{name} is in the structure set and not among the masks" for name in sorted(rois.keys() - organs.keys())
    ]
    faults += [f"{name} is missing" for name in sorted(organs.keys() - rois.keys())]
    for name in sorted(rois.keys() & organs.keys()):
        faults += [f"{name}: {fault}" for fault in _faults(rois[name], organs[name])]
    if faults:
        raise StructureSetError("; ".join(faults))


def _faults(roi: RoiReading, organ: OrganMask) -> list[str]:
    """Return what is wrong with a ROI that should be an organ's."""
    if roi.reasons:
        return list(roi.reasons)
    differing = _differing_voxels(roi.mask, organ) if roi.mask else np.count_nonzero(organ.mask)
    # What a stranger's structure set is read in spite of, as a reference to another slice, must not be in ours.
    return [*roi.notes, *([f"{differing} voxels differ"] if differing else [])]


def _differing_voxels(one: OrganMask, other: OrganMask) -> int:
    """Return how many voxels are in one of two masks only; their boxes may differ."""
    common = np.zeros(one.mask.shape, dtype=np.bool_)
    inner, outer = [], []
    for axis in range(3):
        start = max(one.start[axis], other.start[axis])
        stop = min(one.start[axis] + one.mask.shape[axis], other.start[axis] + other.mask.shape[axis])
        stop = max(start, stop)
        inner.append(slice(start - one.start[axis], stop - one.start[axis]))
        outer.append(slice(start - other.start[axis], stop - other.start[axis]))
    common[tuple(inner)] = one.mask[tuple(inner)] & other.mask[tuple(outer)]
    return int(np.count_nonzero(one.mask) + np.count_nonzero(other.mask) - 2 * np.count_nonzero(common))

"""A structure set to masks on its CT, and masks to a structure set, without a network or a ledger."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dicomnode import __version__
from dicomnode.commands.ct_folder import find_ct_series
from dicomnode.commands.file_identity import label_of_file, time_of_contours, uid_of_file
from dicomnode.commands.structures import read_structure_set_file
from dicomnode.errors import NodeError, NotFound
from dicomnode.identity import structure_set_series_uid
from dicomnode.series import content_digest
from dicomnode.structure_settings import StructureSettings, writing_settings
from segmentation.autocontour import prove, structure_set_of
from segmentation.bundle import sha256_of
from segmentation.ct import CtSeries, read_ct_series
from segmentation.durable import write_whole
from segmentation.mask_file import load_masks, save_masks
from segmentation.names import match_names
from segmentation.organ_mask import OrganMask
from segmentation.profiles import profile_named
from segmentation.rtstruct_reader import RoiReading, read_structure_set
from segmentation.rtstruct_rois import volume_cm3
from segmentation.structure_set_identity import StructureSetIdentity


@dataclass(frozen=True)
class RoiOutcome:
    """What became of a ROI on its way to a mask, or of a mask on its way to a ROI.

    Args:
        number: ROI Number; None where there is none.
        name: as it is written.
        organ: TG-263 name under which a mask was written; empty on the way to masks.
        voxels: of the mask; 0 if there is none.
        volume_cm3: of them.
        reasons: why it was left out, all of them; empty if it was not.
        notes: what was odd about it.
        contours: how many were filled.
        ignored: how many were not, for they enclose nothing.
    """

    number: int | None
    name: str
    organ: str = ""
    voxels: int = 0
    volume_cm3: float = 0.0
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    contours: int = 0
    ignored: int = 0


@dataclass(frozen=True)
class Outcome:
    """What came of it all.

    Args:
        rois: in the order of the structure set, or of the masks.
        written: the file; None if nothing was left to write.
    """

    rois: tuple[RoiOutcome, ...]
    written: Path | None


def write_masks(path: Path, ct_dir: Path, out: Path, *, names: Sequence[str] = (), series: str = "") -> Outcome:
    """Write the masks of a structure set's ROIs on its CT; those that cannot be placed are left out with all reasons.

    Args:
        path: the structure set.
        ct_dir: a folder with the CT that it was drawn on.
        out: the file of masks.
        names: of ROIs; all if none is named.
        series: Series Instance UID, where the folder has several.

    Raises:
        NodeError: if a file cannot be read or written, or a ROI that is named is not there.
        SegmentationError: if the CT or the structure set is none, or they do not belong together.
    """
    ds, summary = read_structure_set_file(path)
    listed = [roi.name for roi in summary.rois]
    if missing := [name for name in names if name not in listed]:
        raise NotFound(f"there is no ROI {', '.join(missing)} in {path}; there are {', '.join(listed) or 'none'}")
    ct = read_ct_series(find_ct_series(ct_dir, series))
    readings = [
        roi for roi in read_structure_set(ds, ct.headers, ct.volume.grid).rois if not names or roi.name in names
    ]
    chosen = [roi.name for roi in readings]
    rois = tuple(_outcome(roi, chosen.count(roi.name), ct) for roi in readings)
    masks = {
        roi.name: roi.mask for roi, done in zip(readings, rois, strict=True) if roi.mask is not None and done.voxels
    }
    if masks:
        try:
            save_masks(out, masks, ct.volume.grid, str(ct.headers[0].FrameOfReferenceUID))
        except OSError as error:
            raise NodeError(f"{out} cannot be written: {error.strerror}") from error
    return Outcome(rois, out if masks else None)


def _outcome(roi: RoiReading, namesakes: int, ct: CtSeries) -> RoiOutcome:
    reasons = list(roi.reasons)
    if namesakes > 1:
        reasons.append(f"{namesakes} ROIs have this name: which is meant is unknown")
    if not roi.name:
        reasons.append("it has no name")
    if roi.mask is None and not reasons:
        reasons.append("it has no voxel on the CT")
    mask = None if reasons else roi.mask
    return RoiOutcome(
        number=roi.number,
        name=roi.name,
        voxels=int(mask.mask.sum()) if mask else 0,
        volume_cm3=volume_cm3(mask, ct.volume.grid) if mask else 0.0,
        reasons=tuple(reasons),
        notes=tuple(note for note in roi.notes if note not in reasons),
        contours=roi.contours,
        ignored=roi.ignored,
    )


def write_structure_set_of_masks(
    masks_path: Path,
    ct_dir: Path,
    out: Path,
    settings: StructureSettings,
    *,
    profile: str = "exact",
    series: str = "",
    time: str = "",
) -> Outcome:
    """Write the structure set of a file of masks; what does not read back voxel by voxel is not written.

    Args:
        masks_path: as `write_masks` writes it; a mask whose name means none of the organs is left out.
        ct_dir: a folder with the CT that the masks lie on.
        out: the RTSTRUCT.
        settings: how the site names and shows the organs.
        profile: of those in `segmentation.profiles`; `exact` draws closest around the voxels.
        series: Series Instance UID, where the folder has several.
        time: that the file bears, as `time_of_contours` takes it; else the CT's.

    Raises:
        NodeError: if a file cannot be found or written, or the time is none.
        SegmentationError: if the profile is unknown, the masks lie on another CT, or cannot be drawn exactly.
    """
    how = profile_named(profile, settings.appearances())
    if not masks_path.is_file():
        raise NotFound(f"{masks_path} is no file")
    paths = find_ct_series(ct_dir, series)
    ct = read_ct_series(paths)
    grid = ct.volume.grid
    found = load_masks(masks_path, grid, str(ct.headers[0].FrameOfReferenceUID))
    matches = match_names(list(found.masks), settings.own_names())
    organs = {organ: found.masks[name] for name, match in matches.items() if (organ := match.organ)}
    rois = [_drawn(name, match.organ, match.reason, found.masks[name], ct) for name, match in matches.items()]
    rois += [RoiOutcome(None, name, reasons=("it has no voxel",)) for name in found.empty]
    if organs:
        ct_content = content_digest(sha256_of(path) for path in paths)
        created = time_of_contours(ct.headers, time)
        identity = _identity(sha256_of(masks_path), ct_content, writing_settings(how.name, settings), created)
        content = structure_set_of(organs, ct, identity, how)
        prove(content, organs, ct.headers, grid, how)
        try:
            write_whole(out, content)
        except OSError as error:
            raise NodeError(f"{out} cannot be written: {error.strerror}") from error
    return Outcome(tuple(rois), out if organs else None)


def _drawn(name: str, organ: str | None, reason: str, mask: OrganMask, ct: CtSeries) -> RoiOutcome:
    return RoiOutcome(
        number=None,
        name=name,
        organ=organ or "",
        voxels=int(mask.mask.sum()),
        volume_cm3=volume_cm3(mask, ct.volume.grid),
        reasons=(reason,) if reason else (),
    )


def _identity(digest: str, ct_content: str, settings: str, created: datetime) -> StructureSetIdentity:
    """Return who the structure set is: the same for masks of the same digest, CT, settings and time."""
    uid = uid_of_file(ct_content, digest, json.dumps({"from": "masks", "settings": settings}), created)
    return StructureSetIdentity(
        sop_instance_uid=uid,
        series_instance_uid=structure_set_series_uid(uid),
        label=label_of_file("MASKS", created, uid),
        description="UNREVIEWED contours of masks from a file.",
        created=created,
        model_name="masks from a file",
        model_version=digest[:12],
        model_digest=digest,
        software_version=__version__,
        series_description="MASKS - UNREVIEWED",
    )


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Return the outcome as JSON says it, with every reason."""
    return {"written": str(outcome.written or ""), "rois": [vars(roi) for roi in outcome.rois]}

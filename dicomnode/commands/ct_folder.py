"""The CT series in a folder, and whether it can be contoured honestly; nothing that computes is loaded."""

from collections.abc import Sequence
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from dicomnode.errors import NotFound
from segmentation.ct_header import UNKNOWN_VR, UNREADABLE, has_unknown_vr, parse_slice_header, read_headers
from segmentation.errors import SeriesError
from segmentation.series_check import CT_IMAGE_STORAGE, check_series


def find_ct_series(folder: Path, series_instance_uid: str = "") -> list[Path]:
    """Return the files of the CT series in a folder and the folders in it.

    Args:
        folder: where to look; what is not CT is passed over.
        series_instance_uid: which series, where there are several.

    Raises:
        NotFound: if there is none, or several and none is named.
        SeriesError: if a file may be a slice and cannot be known for one.
    """
    if not folder.is_dir():
        raise NotFound(f"{folder} is no folder")
    found: dict[str, list[Path]] = {}
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    for number, path in enumerate(paths, start=1):
        try:
            ds = dcmread(path, specific_tags=["SOPClassUID", "SeriesInstanceUID"], stop_before_pixels=True)
            unknown_vr = has_unknown_vr(ds)
        except NotImplementedError:  # as pydicom says it of an element that it needs itself
            unknown_vr = True
        except (InvalidDicomError, EOFError, *UNREADABLE):
            continue
        if unknown_vr:  # to pass over what may be a slice would be to contour the series without it
            raise SeriesError([f"file {number} of {len(paths)} in the folder, by their names, {UNKNOWN_VR}"])
        if ds.get("SOPClassUID") == CT_IMAGE_STORAGE:
            found.setdefault(str(ds.get("SeriesInstanceUID", "")), []).append(path)
    if series_instance_uid:
        found = {uid: paths for uid, paths in found.items() if uid == series_instance_uid}
    if not found:
        raise NotFound(f"there is no CT series{' of this UID' if series_instance_uid else ''} in {folder}")
    if len(found) > 1:
        listed = "; ".join(f"{uid} ({len(paths)} slices)" for uid, paths in sorted(found.items()))
        raise NotFound(f"there are {len(found)} CT series in {folder}: name one with --series: {listed}")
    return next(iter(found.values()))


def refuse_dishonest(paths: Sequence[Path], minimum_slices: int, *, insist: bool) -> None:
    """Raise SeriesError for every reason why the series cannot be contoured honestly.

    Args:
        paths: of the slices.
        minimum_slices: fewer are a reason.
        insist: pass over the reasons that an operator may release.
    """
    headers = [parse_slice_header(ds) for ds in read_headers(paths)]
    reasons = check_series(headers, minimum_slices=minimum_slices)
    standing = [reason.text for reason in reasons if not (insist and reason.releasable)]
    if standing:
        raise SeriesError(standing)

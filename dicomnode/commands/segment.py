"""A folder of CT in, a structure set out, without a network or a ledger."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from dicomnode import __version__
from dicomnode.errors import NodeError, NotFound
from dicomnode.examination import SETTINGS
from dicomnode.identity import derived_uid, structure_set_label, structure_set_series_uid, structure_set_uid
from dicomnode.models import Model
from dicomnode.series import content_digest
from segmentation.autocontour import WrittenStructureSet, contour_files, write_structure_set
from segmentation.bundle import sha256_of
from segmentation.contouring import Contouring
from segmentation.ct import read_ct_series
from segmentation.ct_header import parse_slice_header, read_headers
from segmentation.durable import written_whole
from segmentation.errors import SeriesError
from segmentation.picture import draw_contours
from segmentation.predict import load_predictor
from segmentation.seg import build_segmentation
from segmentation.series_check import CT_IMAGE_STORAGE, check_series
from segmentation.structure_set_identity import StructureSetIdentity

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Segmented:
    """What came of a folder."""

    contouring: Contouring
    written: WrittenStructureSet
    slices: int


def find_ct_series(folder: Path, series_instance_uid: str = "") -> list[Path]:
    """Return the files of the CT series in a folder and the folders in it.

    Args:
        folder: where to look; what is not CT is passed over.
        series_instance_uid: which series, where there are several.

    Raises:
        NotFound: if there is none, or several and none is named.
    """
    if not folder.is_dir():
        raise NotFound(f"{folder} is no folder")
    found: dict[str, list[Path]] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            ds = dcmread(path, specific_tags=["SOPClassUID", "SeriesInstanceUID"], stop_before_pixels=True)
        except (InvalidDicomError, EOFError, ValueError):
            continue
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


def segment(
    paths: Sequence[Path],
    model: Model,
    out: Path,
    *,
    device: str = "auto",
    insist: bool = False,
    picture: Path | None = None,
    segmentation: Path | None = None,
    progress: Progress | None = None,
) -> Segmented:
    """Contour a CT series and write its structure set.

    Args:
        paths: of the slices.
        model: a verified bundle.
        out: the RTSTRUCT.
        device: on which the model runs.
        insist: contour although no head and neck is found.
        picture: a PNG of the contours on slices, if wanted.
        segmentation: a DICOM Segmentation of the same organs, if wanted.
        progress: told of the share that is done.

    Raises:
        SegmentationError: with what is wrong with the series or the model.
        NodeError: if the file cannot be written.
    """
    try:
        predictor = load_predictor(model.folder, device)
        contouring = contour_files(paths, predictor, insist=insist, progress=progress)
    except (RuntimeError, MemoryError) as error:
        # torch has no class of its own for most of what goes wrong; its first line says what, in shapes and sizes.
        raise NodeError(f"the network failed: {str(error).partition(chr(10))[0] or 'out of memory'}") from error
    uid = structure_set_uid(content_digest(sha256_of(path) for path in paths), model.digest, SETTINGS)
    created = datetime.now(UTC).astimezone()
    missing = f" Not found: {', '.join(contouring.not_found)}." if contouring.not_found else ""
    identity = StructureSetIdentity(
        sop_instance_uid=uid,
        series_instance_uid=structure_set_series_uid(uid),
        label=structure_set_label(created, 1),
        description=f"UNREVIEWED contours of {model.manifest.name} {model.manifest.version}.{missing}",
        created=created,
        model_name=model.manifest.name,
        model_version=model.manifest.version,
        model_digest=model.digest,
        software_version=__version__,
    )
    try:
        written = write_structure_set(paths, contouring, identity, out)
        if picture is not None:
            draw_contours(read_ct_series(paths), dcmread(out), picture)
        if segmentation is not None:
            write_segmentation(paths, contouring, identity, segmentation)
    except OSError as error:
        raise NodeError(f"{error.filename or out} cannot be written: {error.strerror}") from error
    return Segmented(contouring, written, len(paths))


def write_segmentation(
    paths: Sequence[Path], contouring: Contouring, identity: StructureSetIdentity, out: Path
) -> None:
    """Write organs as a DICOM Segmentation under UIDs of its own, derived from the structure set's.

    Raises:
        OSError: if the file cannot be written.
    """
    uid = derived_uid("segmentation", identity.sop_instance_uid)
    own = replace(
        identity,
        sop_instance_uid=uid,
        series_instance_uid=structure_set_series_uid(uid),
        series_description="AI OAR SEG - UNREVIEWED",
    )
    with written_whole(out) as file:
        build_segmentation(contouring.organs, read_ct_series(paths).headers, own).save_as(file)

"""A folder of CT in, a structure set out, without a network or a ledger."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pydicom import dcmread

from dicomnode import __version__
from dicomnode.errors import NodeError
from dicomnode.examination import SETTINGS
from dicomnode.identity import derived_uid, structure_set_label, structure_set_series_uid, structure_set_uid
from dicomnode.models import Model
from dicomnode.series import content_digest
from segmentation.autocontour import WrittenStructureSet, contour_files, write_structure_set
from segmentation.bundle import sha256_of
from segmentation.contouring import Contouring
from segmentation.ct import read_ct_series
from segmentation.durable import written_whole
from segmentation.picture import draw_contours
from segmentation.predict import load_predictor
from segmentation.seg import build_segmentation
from segmentation.structure_set_identity import StructureSetIdentity

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Segmented:
    """What came of a folder."""

    contouring: Contouring
    written: WrittenStructureSet
    slices: int


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

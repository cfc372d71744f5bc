"""A folder of CT in, a structure set out, without a network or a ledger."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom import dcmread

from dicomnode import __version__
from dicomnode.commands.file_identity import TIME_TAGS, label_of_file, time_of_contours, uid_of_file
from dicomnode.errors import NodeError
from dicomnode.identity import SERIES_DESCRIPTIONS, segmentation_uid, structure_set_series_uid
from dicomnode.models import Model
from dicomnode.series import content_digest
from dicomnode.structure_settings import StructureSettings, writing_settings
from segmentation.autocontour import Output, Written, contour_files, write_outputs
from segmentation.bundle import sha256_of
from segmentation.contouring import Contouring
from segmentation.ct import read_ct_series
from segmentation.picture import draw_contours
from segmentation.predict import load_predictor
from segmentation.profiles import CLINICAL, profile_named
from segmentation.structure_set_identity import StructureSetIdentity

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Segmented:
    """What came of a folder."""

    contouring: Contouring
    written: Written
    slices: int


def segment(
    paths: Sequence[Path],
    model: Model,
    out: Path,
    structures: StructureSettings,
    *,
    profile: str = "clinical",
    device: str = "auto",
    insist: bool = False,
    time: str = "",
    picture: Path | None = None,
    segmentation: Path | None = None,
    progress: Progress | None = None,
) -> Segmented:
    """Contour a CT series and write its structure set.

    Args:
        paths: of the slices.
        model: a verified bundle.
        out: the RTSTRUCT.
        structures: how the site names and shows the organs.
        profile: for whom the structure set is written, of those in `segmentation.profiles`.
        device: on which the model runs.
        insist: contour although no head and neck is found.
        time: that the files bear, as `time_of_contours` takes it; else the CT's.
        picture: a PNG of the contours on slices, if wanted.
        segmentation: a DICOM Segmentation of the same organs, if wanted.
        progress: told of the share that is done.

    Raises:
        SegmentationError: with what is wrong with the series or the model, or an unknown profile.
        NodeError: if the file cannot be written, or the time is none.
    """
    how = profile_named(profile, structures.appearances())
    try:
        predictor = load_predictor(model.folder, device)
        contouring = contour_files(paths, predictor, insist=insist, progress=progress)
    except (RuntimeError, MemoryError) as error:
        # torch has no class of its own for most of what goes wrong; its first line says what, in shapes and sizes.
        raise NodeError(f"the network failed: {str(error).partition(chr(10))[0] or 'out of memory'}") from error
    content = content_digest(sha256_of(path) for path in paths)
    created = time_of_contours((dcmread(path, specific_tags=list(TIME_TAGS)) for path in paths), time)
    uid = uid_of_file(content, model.digest, writing_settings(how.name, structures), created)
    missing = f" Not found: {', '.join(contouring.not_found)}." if contouring.not_found else ""
    summary = f" {contouring.summary}" if contouring.summary else ""
    engine = f" Computed by {contouring.engine}."
    identity = StructureSetIdentity(
        sop_instance_uid=uid,
        series_instance_uid=structure_set_series_uid(uid),
        label=label_of_file("AI", created, uid),
        description=f"UNREVIEWED contours of {model.manifest.name} {model.manifest.version}.{missing}{summary}{engine}",
        created=created,
        model_name=model.manifest.name,
        model_version=model.manifest.version,
        model_digest=model.digest,
        software_version=__version__,
    )
    try:
        outputs = [Output(identity, out, how)]
        if segmentation is not None:
            clinical = uid_of_file(content, model.digest, writing_settings(CLINICAL.name, structures), created)
            outputs.append(Output(_of_segmentation(identity, clinical), segmentation, how, "SEG"))
        written = write_outputs(paths, contouring, outputs)
        if picture is not None:
            draw_contours(read_ct_series(paths), dcmread(out), picture)
    except OSError as error:
        raise NodeError(f"{error.filename or out} cannot be written: {error.strerror}") from error
    return Segmented(contouring, written, len(paths))


def _of_segmentation(identity: StructureSetIdentity, clinical_uid: str) -> StructureSetIdentity:
    """Return who the segmentation beside a structure set is; it is the same for every profile."""
    uid = segmentation_uid(clinical_uid)
    return replace(
        identity,
        sop_instance_uid=uid,
        series_instance_uid=structure_set_series_uid(uid),
        series_description=SERIES_DESCRIPTIONS["SEG"],
    )

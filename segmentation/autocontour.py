"""CT slices in, structure set out: the whole way, in the order in which it happens."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from segmentation.contouring import Contouring
from segmentation.ct import CtSeries, read_ct_series
from segmentation.durable import write_whole
from segmentation.errors import SeriesError, StructureSetError
from segmentation.lint import lint_structure_set
from segmentation.lint_rule import Severity
from segmentation.plausibility import has_head_and_neck
from segmentation.predict import Predictor, refuse_wrong_purpose
from segmentation.rtstruct import build_structure_set, encode_structure_set
from segmentation.rtstruct_check import verify_structure_set
from segmentation.structure_set_identity import StructureSetIdentity

Progress = Callable[[float], None]


@dataclass(frozen=True)
class WrittenStructureSet:
    """A structure set on disk, and how long it took.

    Args:
        volumes_cm3: of each organ drawn.
        seconds: by stage.
    """

    volumes_cm3: dict[str, float]
    seconds: dict[str, float]


def contour_files(
    paths: Sequence[Path], predictor: Predictor, *, insist: bool = False, progress: Progress | None = None
) -> Contouring:
    """Draw the organs at risk on one CT series.

    Args:
        paths: a file for each slice, in any order.
        predictor: the model, loaded.
        insist: contour although no head and neck is found: the operator released the series.
        progress: told of the share that is done, 0 to 1.

    Returns:
        the organs on the CT's own grid.

    Raises:
        SeriesError: with every reason why the slices cannot be contoured honestly.
        NotThisModelError: if the model is not meant for this CT.
    """
    started = time.monotonic()
    ct = read_ct_series(paths)
    reading_s = time.monotonic() - started
    refuse_wrong_purpose(predictor.manifest, ct.headers)
    contouring = predictor.predict(ct.volume, progress=progress)
    reasons = has_head_and_neck(contouring, ct.volume.grid)
    if reasons and not insist:
        raise SeriesError(reasons)
    return replace(contouring, seconds={"read": reading_s, **contouring.seconds})


def write_structure_set(
    paths: Sequence[Path], contouring: Contouring, identity: StructureSetIdentity, out: Path
) -> WrittenStructureSet:
    """Write the structure set of organs that were drawn on a series; what does not read back as drawn is not written.

    Args:
        paths: the slices that were contoured.
        contouring: the organs.
        identity: the UIDs, names and times that the structure set bears.
        out: the file; it appears whole or not at all.

    Raises:
        SeriesError: if the slices cannot be read any more.
        StructureSetError: if the contours do not give the masks back, voxel by voxel, or the file breaks a rule.
    """
    started = time.monotonic()
    ct: CtSeries = read_ct_series(paths)
    grid = ct.volume.grid
    read = time.monotonic()
    content = encode_structure_set(build_structure_set(contouring.organs, ct.headers, grid, identity))
    written = time.monotonic()
    verify_structure_set(content, contouring.organs, ct.headers, grid)
    refuse_faults(content, ct)
    verified = time.monotonic()
    write_whole(out, content)
    return WrittenStructureSet(
        volumes_cm3={name: float(organ.mask.sum()) * grid.voxel_cm3 for name, organ in contouring.organs.items()},
        seconds={"read again": read - started, "structure set": written - read, "verify": verified - written},
    )


def refuse_faults(content: bytes, ct: CtSeries) -> None:
    """Refuse a structure set of ours that breaks a rule of the lint; what the CT itself lacks is not ours to mend.

    Raises:
        StructureSetError: with each fault.
    """
    faults = [finding for finding in lint_structure_set(content, ct.headers) if finding.severity is Severity.ERROR]
    if faults:
        raise StructureSetError("; ".join(f"{fault.rule} at {fault.path}: {fault.text}" for fault in faults))

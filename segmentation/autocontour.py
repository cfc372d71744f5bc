"""CT slices in, structure set out: the whole way, in the order in which it happens."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from segmentation.contouring import Contouring
from segmentation.ct import CtSeries, read_ct_series
from segmentation.durable import write_whole
from segmentation.errors import SeriesError
from segmentation.organ_mask import OrganMask
from segmentation.plausibility import has_head_and_neck
from segmentation.predict import Predictor, refuse_wrong_purpose
from segmentation.profiles import CLINICAL, Profile
from segmentation.rtstruct import NO_REMARKS, build_structure_set, encode_structure_set
from segmentation.rtstruct_check import prove
from segmentation.seg import encode_segmentation
from segmentation.structure_set_identity import StructureSetIdentity

__all__ = ["Output", "Written", "contour_files", "prove", "structure_set_of", "write_outputs"]

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Output:
    """An instance that is to be written of a contouring.

    Args:
        identity: the UIDs, names and times that it bears.
        out: the file.
        profile: for whom a structure set is written; of a segmentation only how the site shows the organs counts.
        modality: RTSTRUCT or SEG.
    """

    identity: StructureSetIdentity
    out: Path
    profile: Profile = field(default_factory=lambda: CLINICAL)
    modality: Literal["RTSTRUCT", "SEG"] = "RTSTRUCT"


@dataclass(frozen=True)
class Written:
    """What is on disk, and how long it took.

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


def write_outputs(paths: Sequence[Path], contouring: Contouring, outputs: Sequence[Output]) -> Written:
    """Write instances of organs that were drawn on a series; if one does not read back as drawn, none is written.

    Args:
        paths: the slices that were contoured.
        contouring: the organs.
        outputs: what is wanted; each file appears whole or not at all.

    Raises:
        SeriesError: if the slices cannot be read any more.
        StructureSetError: if a file does not give the masks back, voxel by voxel, or breaks a rule.
    """
    started = time.monotonic()
    ct: CtSeries = read_ct_series(paths)
    seconds = {"read again": time.monotonic() - started}
    contents = []
    for output in outputs:
        begun = time.monotonic()
        if output.modality == "SEG":
            shown = output.profile.appearances
            contents.append(encode_segmentation(contouring.organs, ct.headers, output.identity, shown))
            seconds["segmentation"] = time.monotonic() - begun
            continue
        content = structure_set_of(contouring.organs, ct, output.identity, output.profile, contouring.remarks)
        written = time.monotonic()
        prove(content, contouring.organs, ct.headers, ct.volume.grid, output.profile)
        contents.append(content)
        seconds["structure set"] = seconds.get("structure set", 0.0) + written - begun
        seconds["verify"] = seconds.get("verify", 0.0) + time.monotonic() - written
    for output, content in zip(outputs, contents, strict=True):
        write_whole(output.out, content)
    voxel_cm3 = ct.volume.grid.voxel_cm3
    volumes = {name: float(organ.mask.sum()) * voxel_cm3 for name, organ in contouring.organs.items()}
    return Written(volumes, seconds)


def structure_set_of(
    organs: Mapping[str, OrganMask],
    ct: CtSeries,
    identity: StructureSetIdentity,
    profile: Profile,
    remarks: Mapping[str, str] = NO_REMARKS,
) -> bytes:
    """Return the file of the organs' structure set, with what is to be said of single organs."""
    return encode_structure_set(
        build_structure_set(organs, ct.headers, ct.volume.grid, identity, profile=profile, remarks=remarks)
    )

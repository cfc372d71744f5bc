"""Two structure sets on one CT, compared organ by organ, without a network or a ledger."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydicom import Dataset

from adaptation.comparison import TOLERANCES_MM, OrganComparison, compare_masks, worst_slice
from dicomnode.commands.ct_folder import find_ct_series
from dicomnode.commands.structures import read_structure_set_file
from dicomnode.errors import NodeError
from segmentation.comparison_picture import Panel, draw_comparison
from segmentation.ct import CtSeries, read_ct_series
from segmentation.errors import StructureSetError
from segmentation.names import NO_OWN_NAMES, OwnNames, match_name
from segmentation.organ_mask import OrganMask
from segmentation.rtstruct_reader import StructureSetMasks, read_structure_set

MOST_PANELS = 12  # of a picture, those that differ most


@dataclass(frozen=True)
class Left:
    """A ROI that was not compared.

    Args:
        side: A or B.
        name: ROI Name.
        reasons: why not.
    """

    side: str
    name: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Compared:
    """What came of two structure sets.

    Args:
        rows: a ROI of either each.
        left_out: the ROIs that could not be read.
    """

    rows: tuple[OrganComparison, ...]
    left_out: tuple[Left, ...]


def compare(
    one: Path,
    other: Path,
    ct_dir: Path,
    *,
    tolerances_mm: Sequence[float] = (),
    own: OwnNames = NO_OWN_NAMES,
    picture: Path | None = None,
    series: str = "",
) -> Compared:
    """Compare structure set A with B.

    Args:
        one: A's file.
        other: B's, which is taken for what was wanted: the added path is what of it A has not.
        ct_dir: a folder with the CT that both were drawn on.
        tolerances_mm: of the surface DSC; 1, 2 and 3 mm where none is named.
        own: the site's own names of organs.
        picture: a PNG of the organs that differ most, if wanted.
        series: Series Instance UID, where the folder has several.

    Raises:
        NodeError: if a file cannot be read or written.
        SegmentationError: if the CT or a structure set is none, or they do not belong together.
    """
    if bad := [tolerance for tolerance in tolerances_mm if not 0 <= tolerance < math.inf]:
        raise NodeError(f"a tolerance is a number of millimetres, not {bad[0]}")
    structure_sets = read_structure_set_file(one)[0], read_structure_set_file(other)[0]
    ct = read_ct_series(find_ct_series(ct_dir, series))
    readings = _read(one, structure_sets[0], ct), _read(other, structure_sets[1], ct)
    left_out = [left for side, reading in zip("AB", readings, strict=True) for left in _left_out(side, reading)]
    masks = _compared_masks(readings[0]), _compared_masks(readings[1])
    rows = compare_masks(
        *masks,
        ct.volume.grid,
        tolerances_mm=tuple(tolerances_mm) or TOLERANCES_MM,
        organ_of=lambda name: match_name(name, own).organ,
    )
    if picture is not None:
        _draw(ct, structure_sets, readings, rows, picture)
    return Compared(tuple(_with_reason(row, left_out) for row in rows), tuple(left_out))


def as_json(compared: Compared) -> dict[str, Any]:
    """Return the comparison as JSON says it; what is not a number is null."""
    return {
        "rois": [
            {
                "organ": row.organ,
                "name_a": row.names[0] or None,
                "name_b": row.names[1] or None,
                "dsc": _number(row.dsc),
                "hd95_mm": _number(row.hd95_mm),
                "surface_dsc": {f"{mm:g} mm": _number(value) for mm, value in row.surface_dsc.items()},
                "added_path_mm": _number(row.added_path_mm),
                "volume_a_cm3": _number(row.volumes_cm3[0]),
                "volume_b_cm3": _number(row.volumes_cm3[1]),
                "volume_ratio": _number(row.volume_ratio),
                "note": row.note,
            }
            for row in compared.rows
        ],
        "left_out": [
            {"side": left.side, "name": left.name, "reasons": list(left.reasons)} for left in compared.left_out
        ],
    }


def table_of(compared: Compared) -> tuple[list[str], list[list[str]]]:
    """Return the comparison as a table for a terminal: its head and its rows."""
    tolerances = list(compared.rows[0].surface_dsc) if compared.rows else []
    head = ["organ", "A cm³", "B cm³", "A/B", "DSC", "HD95 mm"]
    head += [*(f"surf. DSC {tolerance:g} mm" for tolerance in tolerances), "added path mm"]
    rows = [
        [
            row.organ,
            *(_text(volume, 2) for volume in row.volumes_cm3),
            _text(row.volume_ratio, 2),
            _text(row.dsc, 3),
            _text(row.hd95_mm, 1),
            *(_text(row.surface_dsc[tolerance], 3) for tolerance in tolerances),
            _text(row.added_path_mm, 0),
        ]
        for row in compared.rows
    ]
    return head, rows


def remarks_of(compared: Compared) -> list[str]:
    """Return what belongs to the table: names that are not the row's, and why a value is missing."""
    remarks = []
    for row in compared.rows:
        names = [f"{side}: {name}" for side, name in zip("AB", row.names, strict=True) if name not in {"", row.organ}]
        if said := "; ".join(filter(None, [row.note, *names])):
            remarks.append(f"{row.organ}: {said}")
    return remarks


def _text(value: float, decimals: int) -> str:
    return "" if math.isnan(value) else f"{value:.{decimals}f}"


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _read(path: Path, ds: Dataset, ct: CtSeries) -> StructureSetMasks:
    try:
        return read_structure_set(ds, ct.headers, ct.volume.grid)
    except StructureSetError as error:
        raise StructureSetError(f"{path}: {error}") from error


def _compared_masks(reading: StructureSetMasks) -> dict[str, OrganMask | None]:
    """Return the masks of the ROIs that could be read and whose name is theirs alone."""
    names = [roi.name for roi in reading.rois]
    return {roi.name: roi.mask for roi in reading.rois if not roi.reasons and names.count(roi.name) == 1}


def _left_out(side: str, reading: StructureSetMasks) -> list[Left]:
    names = [roi.name for roi in reading.rois]
    left = [Left(side, roi.name, roi.reasons) for roi in reading.rois if roi.reasons]
    twice = dict.fromkeys(roi.name for roi in reading.rois if not roi.reasons and names.count(roi.name) > 1)
    return left + [Left(side, name, ("more than one ROI has this name: which is meant is unknown",)) for name in twice]


def _with_reason(row: OrganComparison, left_out: Sequence[Left]) -> OrganComparison:
    """Return the row with another note where its counterpart is there and could not be read."""
    for left in left_out:
        if left.name in row.names or (match_name(left.name).organ or left.name) == row.organ:
            row = replace(row, note=row.note.replace(f"not in {left.side}", f"could not be read in {left.side}"))
    return row


def _draw(
    ct: CtSeries,
    structure_sets: tuple[Dataset, Dataset],
    readings: tuple[StructureSetMasks, StructureSetMasks],
    rows: Sequence[OrganComparison],
    out: Path,
) -> None:
    """Write the picture of the organs that both have, those that differ most first."""
    found = [{roi.name: roi for roi in reading.rois} for reading in readings]
    panels = []
    for row in sorted((row for row in rows if not row.note), key=lambda row: row.dsc)[:MOST_PANELS]:
        first, second = (rois[name] for rois, name in zip(found, row.names, strict=True))
        if first.mask and second.mask and first.number is not None and second.number is not None:
            at = worst_slice(first.mask, second.mask)
            panels.append(Panel(f"{row.organ}, DSC {row.dsc:.3f}", at, (first.number, second.number)))
    if not panels:
        raise NodeError("the two structure sets have no organ in common that could be drawn")
    try:
        draw_comparison(ct, structure_sets, panels, out)
    except OSError as error:
        raise NodeError(f"{out} cannot be written: {error.strerror}") from error

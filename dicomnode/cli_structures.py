"""The part of the command line that looks at structure sets: what they hold, and their way to masks and back."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Column, Table

from dicomnode.errors import NodeError
from dicomnode.structure_settings import NAMES_FILE, StructureSettings, structure_settings
from dicomnode.terminal import EXIT_ATTENTION, AsJson, configuration, print_json, say

REASONS_SHOWN = 3  # of a ROI on the terminal; `--json` has all

structures_app = typer.Typer(
    help="Structure sets: what they hold, and their way to masks and back.", no_args_is_help=True
)

StructureSet = Annotated[Path, typer.Argument(metavar="FILE", help="A structure set (RTSTRUCT).")]
CtFolder = Annotated[Path, typer.Option("--ct", help="Folder with the CT series.")]
Series = Annotated[str, typer.Option(help="Series Instance UID, where the folder has several.")]
Time = Annotated[str, typer.Option("--time", help="The time that is written into it: ISO 8601, or now. Else the CT's.")]
NamesFile = Annotated[
    Path | None,
    typer.Option("--names", help=f"The site's names; else those of the node, or {NAMES_FILE} if it is there."),
]


def site_names(named: Path | None) -> StructureSettings:
    """Return how the site names and shows the organs: by the file that is named, else as the node does."""
    return structure_settings(named or configuration().contouring.structures_file, NAMES_FILE)


def shortened(reasons: Sequence[str]) -> str:
    """Return the first reasons, and how many more there are."""
    more = len(reasons) - REASONS_SHOWN
    return "; ".join([*reasons[:REASONS_SHOWN], *([f"and {more} more reasons"] if more > 0 else [])])


@structures_app.command("show")
def structures_show(file: StructureSet, names: NamesFile = None, as_json: AsJson = False) -> None:
    """Show the ROIs of a structure set, the organs that they are, their volumes, and whether it is approved."""
    from dicomnode.commands.structures import as_json as view_json
    from dicomnode.commands.structures import show_structure_set

    view = show_structure_set(file, site_names(names))
    if as_json:
        print_json(view_json(view))
        return
    table = Table("no.", "ROI", "type", "organ", "contours", "cm³ from contours", "remarks")
    for roi in view.rois:
        volume = "" if roi.volume_cm3 is None else f"{roi.volume_cm3:.2f}"
        remarks = [escape(roi.why_no_organ), escape(roi.why_no_volume)]
        name, kind = escape(roi.name), escape(roi.interpreted_type)
        row = (str(roi.number), name, kind, roi.organ or "", str(roi.contours), volume)
        table.add_row(*row, "\n".join(filter(None, remarks)))
    say(table)
    verdict = "approved" if view.approval.is_approved else "not approved"
    say(f"{view.label or 'no label'}: {verdict}: {view.approval.reason}", markup=False)


@structures_app.command("mask")
def structures_mask(
    file: StructureSet,
    ct: CtFolder,
    to: Annotated[Path, typer.Option("-o", "--out", help="The masks to write: a compressed NumPy archive (.npz).")],
    roi: Annotated[list[str] | None, typer.Option(help="Name of a ROI; may be given again. Else all.")] = None,
    series: Series = "",
    as_json: AsJson = False,
) -> None:
    """Fill the contours of a structure set on its CT."""
    from dicomnode.commands.structure_masks import as_json as outcome_json
    from dicomnode.commands.structure_masks import write_masks

    outcome = write_masks(file, ct, to, names=roi or (), series=series)
    if as_json:
        print_json(outcome_json(outcome))
    else:
        table = Table("no.", "ROI", "contours", "voxels", "cm³", "remarks")
        for one in outcome.rois:
            sizes = (str(one.voxels), f"{one.volume_cm3:.2f}") if one.voxels else ("", "")
            left_out = f"[red]left out[/]: {escape(shortened(one.reasons))}" if one.reasons else ""
            number = "" if one.number is None else str(one.number)
            remarks = filter(None, [left_out, escape(shortened(one.notes))])
            table.add_row(number, escape(one.name), str(one.contours), *sizes, "\n".join(remarks))
        say(table)
    if outcome.written is None:
        raise NodeError(f"no ROI of {file} became a mask: nothing was written")
    if not as_json:
        say(f"{outcome.written} is written", markup=False)


@structures_app.command("from-mask")
def structures_from_mask(
    masks: Annotated[Path, typer.Argument(metavar="MASKS", help="Masks as `structures mask` writes them.")],
    ct: CtFolder,
    to: Annotated[Path, typer.Option("-o", "--out", help="The RTSTRUCT to write.")],
    profile: Annotated[
        str, typer.Option(help="exact: on the edges of voxels; clinical: smoother; or as a system takes it best.")
    ] = "exact",
    names: NamesFile = None,
    series: Series = "",
    time: Time = "",
    as_json: AsJson = False,
) -> None:
    """Write a structure set of masks; it is read back, and nothing is written if a voxel differs."""
    from dicomnode.commands.structure_masks import as_json as outcome_json
    from dicomnode.commands.structure_masks import write_structure_set_of_masks

    settings = site_names(names)
    outcome = write_structure_set_of_masks(masks, ct, to, settings, profile=profile, series=series, time=time)
    if as_json:
        print_json(outcome_json(outcome))
    else:
        table = Table("mask", "organ", "voxels", "cm³", "remarks")
        for one in outcome.rois:
            row = (escape(one.name), one.organ, str(one.voxels), f"{one.volume_cm3:.2f}")
            table.add_row(*row, f"[red]left out[/]: {escape(shortened(one.reasons))}" if one.reasons else "")
        say(table)
    if outcome.written is None:
        raise NodeError(f"no mask of {masks} is one of an organ: nothing was written")
    if not as_json:
        say(f"{outcome.written} is written. Unreviewed.", markup=False)


@structures_app.command("lint")
def structures_lint(
    file: StructureSet,
    ct: Annotated[Path | None, typer.Option("--ct", help="Folder with the CT series, to hold it against.")] = None,
    tps: Annotated[
        str, typer.Option(help="eclipse, raystation, monaco, pinnacle or mim: say what it makes of it.")
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help="Show every finding, not the first of each rule.")] = False,
    series: Series = "",
    as_json: AsJson = False,
) -> None:
    """Say everything that is wrong with a structure set, by the rules of docs/lint.md; exit code 3 for an error."""
    from dicomnode.commands.lint import as_json as findings_json
    from dicomnode.commands.lint import counts, first_of_each_rule, has_error, lint

    findings = lint(file, ct, tps=tps, series=series)
    if as_json:
        print_json(findings_json(findings))
    else:
        for finding, more in [(each, 0) for each in findings] if everything else first_of_each_rule(findings):
            say(f"{finding.severity} {finding.rule}: {finding.path}", markup=False)
            say(f"    {finding.text} [{finding.source}]", markup=False)
            if more:
                say(f"    and {more} more of {finding.rule}: --all", markup=False)
        say(counts(findings))
    if has_error(findings):
        raise typer.Exit(EXIT_ATTENTION)


@structures_app.command("compare")
def structures_compare(
    one: Annotated[Path, typer.Argument(metavar="A", help="A structure set, as the node's.")],
    other: Annotated[Path, typer.Argument(metavar="B", help="Another, as the physician's.")],
    ct: CtFolder,
    tolerance: Annotated[list[float] | None, typer.Option(help="Of the surface DSC, mm; may be given again.")] = None,
    picture: Annotated[Path | None, typer.Option(help="A PNG of each organ where the two differ most.")] = None,
    names: NamesFile = None,
    series: Series = "",
    as_json: AsJson = False,
) -> None:
    """Compare two structure sets on their CT, organ by organ; docs/compare.md says how it is measured."""
    from dicomnode.commands.compare import as_json as comparison_json
    from dicomnode.commands.compare import compare, remarks_of, table_of

    own = site_names(names).own_names()
    compared = compare(one, other, ct, tolerances_mm=tolerance or (), own=own, picture=picture, series=series)
    if as_json:
        print_json(comparison_json(compared))
        return
    head, rows = table_of(compared)
    columns = [Column(name, no_wrap=True) for name in head[:1]]
    columns += [Column(name, justify="right", min_width=5) for name in head[1:]]
    table = Table(*columns, box=SIMPLE, pad_edge=False, collapse_padding=True)
    for row in rows:
        table.add_row(*map(escape, row))
    say(table)
    for remark in remarks_of(compared):
        say(remark, markup=False)
    for left in compared.left_out:
        say(f"{left.side}: {left.name} was left out: {shortened(left.reasons)}", markup=False)
    if picture is not None:
        say(f"{picture} is written", markup=False)

"""The part of the command line that looks after the versions of models: which there are, and which is in service."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from dicomnode.swapping import Swapped
from dicomnode.terminal import EXIT_ATTENTION, AsJson, open_books, print_json, say

versions_app = typer.Typer(help="The versions of models, and which of them is in service.", no_args_is_help=True)

Named = Annotated[str, typer.Argument(help="NAME@VERSION, or NAME@ and the beginning of a digest.")]
AnyModel = Annotated[str, typer.Argument(help="NAME for the base, NAME@current, NAME@VERSION or NAME@DIGEST.")]
Name = Annotated[str, typer.Argument(help="Model, as the rules name it.")]
By = Annotated[str, typer.Option("--by", help="Who decides; else the account.")]
Why = Annotated[str, typer.Option("--why", help="The reason, for the history and the audit; no patient's name.")]


@versions_app.command("list")
def models_list(as_json: AsJson = False) -> None:
    """List the models, what serves under their names, and their versions."""
    from dicomnode.commands.models import list_json, list_models

    with open_books() as books:
        views = list_models(books)
    if as_json:
        print_json([list_json(view) for view in views])
        return
    for view in views:
        for fault in view.faults:
            say(f"[red]{view.name}[/]: {escape(fault)}")
        what = "the base bundle" if view.is_base else "a version of the registry"
        if view.version:
            say(f"{view.name}: {view.version} ({view.digest[:12]}) is in service, {what}", markup=False)
        if view.versions:
            table = Table("version", "digest", "standing", "added", "by")
            for each in view.versions:
                standing = f"{each.standing}{', marked' if each.marks else ''}"
                added = f"{each.record.added.astimezone():%Y-%m-%d %H:%M}"
                cells = (each.manifest.version, each.digest[:12], standing, added, each.record.by)
                table.add_row(*(escape(cell) for cell in cells))
            say(table)


@versions_app.command("show")
def models_show(version: Named, as_json: AsJson = False) -> None:
    """Show a version: where it came from, what it reached, and what was done with it."""
    from dicomnode.commands.models import show_version

    with open_books() as books:
        found = show_version(books, version)
    if as_json:
        print_json(found)
        return
    say(f"{found['model']} {found['version']}: {found['standing']}", markup=False)
    for key in ("digest", "parent", "added", "by", "origin", "mean_dice"):
        if found[key]:
            say(f"  {key.replace('_', ' ')}: {found[key]}", markup=False)
    say(f"  organs: {', '.join(found['manifest']['organs'])}", markup=False)
    for tail in found["manifest"]["tails"]:
        say(f"  drawn by {tail['version']}: {', '.join(tail['organs'])}", markup=False)
    say(f"  learnt from: {found['manifest']['provenance']['data']}", markup=False)
    if (seen := found["shadow"])["series"]:
        lost = ", ".join(f"{organ} in {count}" for organ, count in seen["lost"].items()) or "none"
        say(f"  in the shadow: {seen['series']} series, {seen['failed']} failed; organs lost: {lost}", markup=False)
    for mark in found["marks"]:
        say(f"  mark: {mark}", markup=False)
    for entry in found["history"]:
        say(f"  {entry['at']} {entry['act']} by {entry['by']}: {entry['why']}", markup=False)


@versions_app.command("diff")
def models_diff(one: AnyModel, other: AnyModel, as_json: AsJson = False) -> None:
    """Show in what two models differ: what they say of themselves, their figures, and where their weights are other."""
    from dicomnode.commands.models_diff import diff_models

    with open_books() as books:
        found = diff_models(books, one, other)
    if as_json:
        print_json(found)
        return
    say(f"{one}: {found['one']['version']} ({found['one']['digest'][:12]})", markup=False)
    say(f"{other}: {found['other']['version']} ({found['other']['digest'][:12]})", markup=False)
    say(f"other weights in: {', '.join(found['weights']) or 'no place'}", markup=False)
    for key, (first, second) in found["manifest"].items():
        say(f"{key}: {first} -> {second}", markup=False)
    if found["dice"]:
        table = Table("organ", one, other, title="DSC, each on its own cases: `evaluate --against` compares")
        for organ, values in found["dice"].items():
            table.add_row(organ, *("" if value is None else f"{value:.3f}" for value in values))
        say(table)


@versions_app.command("promote")
def models_promote(version: Named, why: Why, by: By = "", as_json: AsJson = False) -> None:
    """Put a version into service, after it has drawn the golden case; the next series is contoured by it."""
    from dicomnode.commands.promote import promote_version

    with open_books(f"models promote {version}") as books:
        swapped = promote_version(books, version, by=by, why=why)
    _say_swapped(swapped, as_json=as_json)


@versions_app.command("rollback")
def models_rollback(name: Name, why: Why, by: By = "", as_json: AsJson = False) -> None:
    """Put what was in service before back into service, at once and without a restart."""
    from dicomnode.commands.models import roll_model_back

    with open_books(f"models rollback {name}") as books:
        swapped = roll_model_back(books, name, by=by, why=why)
    _say_swapped(swapped, as_json=as_json)


@versions_app.command("shadow")
def models_shadow(
    name: Name,
    why: Why,
    version: Annotated[str, typer.Argument(help="Version or digest; none ends the shadow.")] = "",
    by: By = "",
) -> None:
    """Let a version contour each delivered series too, unseen, to be compared with what is approved."""
    from dicomnode.commands.models import shadow_version

    with open_books(f"models shadow {name} {version}".rstrip()) as books:
        found = shadow_version(books, name, version, by=by, why=why)
    said = f"{found.manifest.version} contours in the shadow" if found else "nothing contours in the shadow"
    say(f"{name}: {said}", markup=False)


@versions_app.command("verify")
def models_verify(as_json: AsJson = False) -> None:
    """Verify every byte of every version, and the chain of what was done with them."""
    from dicomnode.commands.models import verify_models

    with open_books() as books:
        faults = verify_models(books)
    if as_json:
        print_json({name: list(found) for name, found in faults.items()})
    else:
        for name, found in faults.items():
            said = "; ".join(found) or "every version is what was added, and the history is whole"
            say(f"{name}: {said}", markup=False)
    if any(faults.values()):
        raise typer.Exit(EXIT_ATTENTION)


@versions_app.command("export")
def models_export(version: Named, to: Annotated[Path, typer.Option("-o", "--out", help="The file to write.")]) -> None:
    """Write a version to one file, to be imported on another machine."""
    from dicomnode.commands.models import export_model

    with open_books(f"models export {version}") as books:
        found = export_model(books, version, to)
    say(f"{to}: {found.name} {found.manifest.version} ({found.digest[:12]})", markup=False)


@versions_app.command("import")
def models_import(
    path: Annotated[Path, typer.Argument(help="What `models export` wrote, or a bundle's folder.", exists=True)],
    name: Annotated[str, typer.Option("--name", help="Model whose version it is to be.")],
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Keep a version that another machine exported, or a bundle; it serves nobody until it is promoted."""
    from dicomnode.commands.models import import_model, version_json

    with open_books(f"models import {path.name}") as books:
        found = import_model(books, name, path, by=by)
    if as_json:
        print_json(version_json(found))
    else:
        say(f"{name}@{found.manifest.version} ({found.digest[:12]}) is kept: {found.standing}", markup=False)


def _say_swapped(swapped: Swapped, *, as_json: bool) -> None:
    if as_json:
        print_json(swapped.as_json())
    else:
        say(f"{swapped.name}: {swapped.in_words()}", markup=False)

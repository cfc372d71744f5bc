"""The part of the command line that is about the cases to learn from."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from dicomnode.terminal import AsJson, open_books, out, print_json, say

case_app = typer.Typer(help="One case: an approved structure set with its CT.", no_args_is_help=True)

CaseName = Annotated[str, typer.Argument(help="Name, as `adapt cases` lists it.")]
Why = Annotated[str, typer.Option("--why", help="In a word; kept with the case.")]


def adapt_cases(as_json: AsJson = False) -> None:
    """List the cases, with the reasons of those that were set aside, and what waits to become one."""
    from dicomnode.commands.cases import cases_json, list_cases

    with open_books() as books:
        cases = list_cases(books)
    if as_json:
        print_json(cases_json(cases))
        return
    table = Table("case", "status", "part", "month", "organs", "reasons")
    for record in cases.cases:
        last = record.history[-1]
        why = "" if record.status == "admitted" and last.by == "admission" else last.why
        table.add_row(record.name, record.status, record.part, record.month, f"{len(record.structures)}", escape(why))
    out.print(table)
    for approval in cases.on_the_way:
        say(f"structure set {approval.id}: {approval.state}: {'; '.join(approval.reasons) or '-'}", markup=False)
    for approval in cases.not_taken:
        say(f"structure set {approval.id}: nothing is learnt from it: {'; '.join(approval.reasons)}", markup=False)


def adapt_retry(number: Annotated[int, typer.Argument(help="Number of the structure set.")]) -> None:
    """Have a structure set that waits, failed or was not taken looked at once more."""
    from dicomnode.commands.cases import retry_case

    with open_books(f"adapt retry {number}") as books:
        retry_case(books, number)
    say(f"structure set {number}: it will be looked at")


@case_app.command("show")
def case_show(name: CaseName, as_json: AsJson = False) -> None:
    """Show a case: what was drawn, how it came about, what was decided; with its earlier revisions."""
    from adaptation.case_record import as_json as record_json
    from dicomnode.commands.cases import show_case

    with open_books() as books:
        records = show_case(books, name)
    if as_json:
        print_json([record_json(record) for record in records])
        return
    for record in records:
        say(f"{record.name}: {record.status}, for {record.part}, filed {record.filed:%Y-%m-%d %H:%M} UTC")
        for ruling in record.history:
            say(f"  {ruling.at:%Y-%m-%d %H:%M} {ruling.status} by {ruling.by}: {ruling.why}", markup=False)
        for note in record.notes:
            say(f"  note: {note}", markup=False)
    table = Table("organ", "origin", "DSC", "surface DSC", "HD95 mm", "added path mm", "volume ratio", "slices edited")
    for organ, structure in records[-1].structures.items():
        edit = structure.edit or structure.blind
        figures = (
            (
                f"{edit.dice:.3f}",
                f"{edit.surface_dice:.3f}",
                f"{edit.hd95_mm:.1f}",
                f"{edit.added_path_mm:.0f}",
                f"{edit.volume_ratio:.2f}",
                f"{edit.edited_slices:.0%}",
            )
            if edit
            else ("-",) * 6
        )
        table.add_row(organ, f"{structure.origin}{', blind' if structure.blind else ''}", *figures)
    out.print(table)


@case_app.command("admit")
def case_admit(name: CaseName, why: Why) -> None:
    """Have a case learnt from, in spite of the reasons."""
    from adaptation.case_record import Status
    from dicomnode.commands.cases import decide_case

    with open_books(f"adapt case admit {name}") as books:
        decide_case(books, name, Status.ADMITTED, why)
    say(f"case {name}: admitted", markup=False)


@case_app.command("reject")
def case_reject(name: CaseName, why: Why) -> None:
    """Have nothing learnt from a case."""
    from adaptation.case_record import Status
    from dicomnode.commands.cases import decide_case

    with open_books(f"adapt case reject {name}") as books:
        decide_case(books, name, Status.REJECTED, why)
    say(f"case {name}: rejected", markup=False)


@case_app.command("export")
def case_export(name: CaseName, to: Annotated[Path, typer.Option("--out", help="Folder to copy it to.")]) -> None:
    """Copy a case as it lies in the store: arrays and record, without a DICOM header. A CT of a head shows a face."""
    from dicomnode.commands.cases import export_case

    with open_books(f"adapt case export {name}") as books:
        folder = export_case(books, name, to)
    say(f"{folder}: arrays.npz, case.json", markup=False)


@case_app.command("forget")
def case_forget(
    name: Annotated[str, typer.Argument(help="Name of a case of the patient's.")] = "",
    patient_id: Annotated[
        str, typer.Option("--patient-id", prompt=False, help="Patient ID instead; - reads it from the input.")
    ] = "",
) -> None:
    """Delete everything that learning has of a patient; images and structure sets: `series forget --patient`."""
    from dicomnode.commands.cases import forget_case, forget_patient_id

    if bool(name) == bool(patient_id):
        raise typer.BadParameter("name a case, or give --patient-id")
    if patient_id == "-":
        patient_id = typer.get_text_stream("stdin").readline().strip()
    with open_books(f"adapt case forget {name or '--patient-id'}") as books:
        names = forget_case(books, name) if name else forget_patient_id(books, patient_id)
    say(f"forgotten: {len(names)} cases")

"""The operator's part of the command line: series, jobs, alarms, conflicts and the audit."""

from typing import Annotated

import typer

from dicomnode.terminal import EXIT_ATTENTION, AsJson, open_books, out, print_json, say

series_app = typer.Typer(help="The CT series that the node knows, by number, UID or pseudonym.", no_args_is_help=True)
jobs_app = typer.Typer(help="Work that waits, failed or was given up.", no_args_is_help=True)
alarms_app = typer.Typer(help="What a person must look at.", no_args_is_help=True)
conflicts_app = typer.Typer(help="Instances with a known UID and other content.", no_args_is_help=True)
audit_app = typer.Typer(help="What was received, sent, refused and done by whom.", no_args_is_help=True)
OPERATOR_APPS = {
    "series": series_app,
    "jobs": jobs_app,
    "alarms": alarms_app,
    "conflicts": conflicts_app,
    "audit": audit_app,
}

SeriesName = Annotated[str, typer.Argument(help="Number, Series Instance UID or pseudonym.")]


@series_app.command("list")
def series_list(as_json: AsJson = False) -> None:
    """List the series."""
    from dicomnode.commands.series import as_json as series_json
    from dicomnode.commands.series import list_series
    from dicomnode.commands.show import show_series_list

    with open_books() as books:
        views = list_series(books)
    if as_json:
        print_json([series_json(view) for view in views])
    else:
        show_series_list(out, views)


@series_app.command("show")
def series_show(
    name: SeriesName,
    patient: Annotated[bool, typer.Option("--patient", help="Read the patient's ID and name from the files.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one series: its UID, why it is where it is, its structure sets and their deliveries."""
    from dicomnode.audit.message import Study
    from dicomnode.audit.operator import note_access
    from dicomnode.commands.series import as_json as series_json
    from dicomnode.commands.series import find_series, patient_of, view_series
    from dicomnode.commands.show import show_series

    with open_books() as books:
        record = find_series(books, name)
        view = view_series(books, record)
        who = patient_of(books, record) if patient else None
        if who is not None:
            note_access(books, Study(record.study_instance_uid, *who))
    if as_json:
        identity = {"patient_id": who[0], "patient_name": who[1]} if who else {}
        print_json({**series_json(view), **identity})
    else:
        show_series(out, view, who)


@series_app.command("release")
def series_release(name: SeriesName) -> None:
    """Contour a held series in spite of the reasons, where that makes sense, or have one that is blind sent."""
    _on_series(name, "release", "released: it will be contoured")


@series_app.command("resend")
def series_resend(name: SeriesName) -> None:
    """Send the newest structure set of a series again."""
    _on_series(name, "resend", "its structure set will be sent again")


@series_app.command("recontour")
def series_recontour(name: SeriesName) -> None:
    """Contour a series once more with the model in service."""
    _on_series(name, "recontour", "it will be contoured again")


@series_app.command("forget")
def series_forget(
    name: SeriesName,
    patient: Annotated[bool, typer.Option("--patient", help="Everything with the same Patient ID.")] = False,
    dry: Annotated[bool, typer.Option("--dry-run", help="Only say what there is.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a series and all that came of it, whatever its age: images, structure sets, rows."""
    from dicomnode.commands.forget import as_json as forgotten_json
    from dicomnode.commands.forget import forget_series
    from dicomnode.commands.series import find_series

    with open_books("" if dry else f"series forget {name}{' --patient' if patient else ''}") as books:
        forgotten = forget_series(books, find_series(books, name), whole_patient=patient, dry=dry)
    if as_json:
        print_json(forgotten_json(forgotten))
        return
    counts = f"{forgotten.instances} instances, {forgotten.results} structure sets, {forgotten.conflicts} conflicts"
    series = f"{len(forgotten.series)} series"
    say(f"{'would forget' if dry else 'forgotten'}: {series}, {counts}, {forgotten.cases} cases")


def _on_series(name: str, action: str, said: str) -> None:
    from dicomnode.commands.series import find_series

    with open_books(f"series {action} {name}") as books:
        getattr(books.examiner, action)(find_series(books, name))
    say(f"series {name}: {said}", markup=False)


@jobs_app.command("list")
def jobs_list(
    everything: Annotated[bool, typer.Option("--all", help="Also what is over.")] = False, as_json: AsJson = False
) -> None:
    """List the work that waits, or that a person must look at."""
    from dicomnode.commands.jobs import as_json as job_json
    from dicomnode.commands.jobs import list_jobs
    from dicomnode.commands.show import show_jobs

    with open_books() as books:
        jobs = list_jobs(books, everything=everything)
    if as_json:
        print_json([job_json(job) for job in jobs])
    else:
        show_jobs(out, jobs)


@jobs_app.command("show")
def jobs_show(name: str, as_json: AsJson = False) -> None:
    """Show one piece of work."""
    from dicomnode.commands.jobs import as_json as job_json
    from dicomnode.commands.jobs import find_job
    from dicomnode.commands.show import show_jobs

    with open_books() as books:
        job = find_job(books, name)
    if as_json:
        print_json(job_json(job))
    else:
        show_jobs(out, [job])


@jobs_app.command("retry")
def jobs_retry(name: str) -> None:
    """Do a piece of work again, now."""
    from dicomnode.commands.jobs import retry_job

    with open_books(f"jobs retry {name}") as books:
        retry_job(books, name)
    say(f"{name} is tried again", markup=False)


@jobs_app.command("cancel")
def jobs_cancel(name: str) -> None:
    """Give a piece of work up."""
    from dicomnode.commands.jobs import cancel_job

    with open_books(f"jobs cancel {name}") as books:
        cancel_job(books, name)
    say(f"{name} is cancelled", markup=False)


@alarms_app.command("list")
def alarms_list() -> None:
    """List the alarms that nobody has acknowledged."""
    from dicomnode.commands.show import show_alarms

    with open_books() as books:
        show_alarms(out, books.ledger.alarms())


@alarms_app.command("acknowledge")
def alarms_acknowledge(number: int) -> None:
    """Take an alarm off the list."""
    with open_books(f"alarms acknowledge {number}") as books:
        books.ledger.acknowledge(number)
    say(f"alarm {number} is acknowledged")


@conflicts_app.command("list")
def conflicts_list() -> None:
    """List the conflicts that wait for a decision."""
    from dicomnode.commands.show import show_conflicts

    with open_books() as books:
        show_conflicts(out, books.ledger.conflicts(), books.pseudonyms)


@conflicts_app.command("accept")
def conflicts_accept(number: int) -> None:
    """Let the new instance take the place of the one that was there; the series is contoured anew."""
    from dicomnode.commands.conflicts import accept_conflict

    with open_books(f"conflicts accept {number}") as books:
        accept_conflict(books, number)
    say(f"conflict {number}: the new instance is accepted")


@conflicts_app.command("reject")
def conflicts_reject(number: int) -> None:
    """Keep the instance that was there and delete the new one."""
    from dicomnode.commands.conflicts import reject_conflict

    with open_books(f"conflicts reject {number}") as books:
        reject_conflict(books, number)
    say(f"conflict {number}: the new instance is rejected")


@audit_app.command("verify")
def audit_verify(as_json: AsJson = False) -> None:
    """Look for audit records that were removed, changed, exchanged or cut off."""
    from dataclasses import asdict

    from dicomnode.commands.audit import verify_audit

    with open_books() as books:
        report = verify_audit(books)
    if as_json:
        print_json(asdict(report))
    else:
        for fault in report.faults:
            say(fault, markup=False)
        say(f"{report.records} records, {'the chain is broken' if report.faults else 'the chain is whole'}")
    if report.faults:
        raise typer.Exit(EXIT_ATTENTION)

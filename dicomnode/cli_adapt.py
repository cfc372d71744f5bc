"""The part of the command line that is about learning from approved contours."""

from datetime import UTC, datetime
from getpass import getuser
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from dicomnode.cli_cases import adapt_cases, adapt_retry, case_app
from dicomnode.terminal import EXIT_ATTENTION, AsJson, configuration, open_books, print_json, say

adapt_app = typer.Typer(help="What is learnt from the contours that physicians approve.", no_args_is_help=True)
adapt_app.command("cases")(adapt_cases)
adapt_app.command("retry")(adapt_retry)
adapt_app.add_typer(case_app, name="case")
gate_app = typer.Typer(help="The cases that judge a candidate, and their renewal.", no_args_is_help=True)
adapt_app.add_typer(gate_app, name="gate")


@adapt_app.command("report")
def adapt_report(
    month: Annotated[str, typer.Option(help="As 2026-03; else the last one that is over.")] = "",
    to: Annotated[Path | None, typer.Option("--out", help="HTML file to write.")] = None,
    as_json: AsJson = False,
) -> None:
    """Report what physicians approved of our contours in a month; 3 if something calls for attention."""
    from adaptation.month_report import encoded_month
    from adaptation.months import month_before
    from dicomnode.commands.adapt_report import report_month

    report = report_month(configuration(), month or month_before(datetime.now(UTC)), to)
    if as_json:
        print_json(encoded_month(report))
    else:
        table = Table("organ", "contours", "untouched", "surface DSC", title=f"{report.month}: {report.cases} cases")
        for row in report.organs:
            table.add_row(row.organ, str(row.count), f"{row.untouched:.0%}", f"{row.medians['surface_dsc']:.3f}")
        say(table)
        for concern in report.concerns:
            say(concern.text, markup=False)
        if to is not None:
            say(str(to), markup=False)
    if report.concerns:
        raise typer.Exit(EXIT_ATTENTION)


@adapt_app.command("run")
def adapt_run(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would do, and do nothing.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Do not wait for new cases or days; too few cases are too few all the same.")
    ] = False,
    by: Annotated[str, typer.Option(help="Who wants it; else the account.")] = "",
    as_json: AsJson = False,
) -> None:
    """Adapt the model now: by the daemon, behind the clinical work, or here where none runs; 3 if it does not start."""
    from dicomnode.commands.adapt_run import counts_of, plan_run, start_run

    who = by or getuser()
    if dry_run:
        with open_books() as books:
            plan = plan_run(books, who, force=force)
        answer = {
            "starts": plan.starts,
            "kind": plan.kind.value,
            "cases": counts_of(plan),
            "reasons": list(plan.reasons),
            "frozen": dict(plan.frozen),
            "base": plan.base.name,
            "in_service": plan.current.name,
        }
        if as_json:
            print_json(answer)
        else:
            say(f"{'starts' if plan.starts else 'does not start'}: {plan.kind.value}; {answer['cases']}", markup=False)
            for reason in (*plan.reasons, *plan.frozen.values()):
                say(reason, markup=False)
        raise typer.Exit(0 if plan.starts else EXIT_ATTENTION)
    with open_books("adapt run") as books:
        started = start_run(
            books,
            who,
            force=force,
            now=datetime.now().astimezone(),
            say=lambda progress: None if as_json else say(progress.step, markup=False),
        )
    if as_json:
        print_json(vars(started))
    elif started.is_ordered:
        say(f"the run {started.run} is ordered; `dicomnode adapt status` shows it", markup=False)
    else:
        say(f"{started.run}: {started.outcome}: {started.text}", markup=False)
    if started.outcome in {"did not start", "stopped"}:
        raise typer.Exit(EXIT_ATTENTION)


@adapt_app.command("status")
def adapt_status(as_json: AsJson = False) -> None:
    """Show which run is under way and how far it is, or what the next one waits for."""
    from dicomnode.commands.adapt_gate import view_gate
    from dicomnode.commands.adapt_history import runs_of, view_of
    from dicomnode.commands.adapt_run import counts_of, plan_run

    config = configuration()
    worn = view_gate(config, datetime.now(UTC)).warning
    going = [view_of(run) for run in runs_of(config).unfinished()]
    with open_books() as books:
        plan = plan_run(books, "", force=False)
    if as_json:
        print_json(
            {
                "under_way": [{"run": one.name, "step": one.text} for one in going],
                "would_start": plan.starts,
                "cases": counts_of(plan),
                "reasons": list(plan.reasons),
                "in_service": plan.current.name,
                "gate_warning": worn,
            }
        )
        return
    if worn:
        say(f"WARNING: {worn}", markup=False)
    for one in going:
        say(f"{one.name}: {one.text}", markup=False)
    say(f"in service: {plan.current.name}; cases: {counts_of(plan)}", markup=False)
    nights = config.nights
    say(f"each night at {nights.daily_at:%H:%M}" if nights.adapt else "no nights: nights.adapt is false", markup=False)
    for reason in plan.reasons or ("a run would start",):
        say(reason, markup=False)


@adapt_app.command("history")
def adapt_history(as_json: AsJson = False) -> None:
    """List the runs: when, with how many cases, and what came of them."""
    from dicomnode.commands.adapt_history import history

    views = history(configuration())
    if as_json:
        print_json([{**vars(view), "at": view.at.isoformat()} for view in views])
        return
    table = Table("run", "cases", "outcome", "what came of it", "version")
    for view in views:
        cases = " / ".join(str(count) for count in view.cases.values())
        table.add_row(view.name, cases, view.outcome or "under way", view.text, view.version[:12])
    say(table)


@adapt_app.command("show")
def adapt_show(
    run: Annotated[str, typer.Argument(help="As `adapt history` lists it.")], as_json: AsJson = False
) -> None:
    """Show a run: what was planned, every step, the verdict with its reasons, and where its dossier is."""
    from dicomnode.commands.adapt_history import details

    found = details(configuration(), run)
    if as_json:
        print_json(found)
        return
    for step, values in found.items():
        if not isinstance(values, dict):
            say(f"{step}: {values}", markup=False)
            continue
        say(step, markup=False)
        for key, value in values.items():
            shown = {part: len(cases) for part, cases in value.items()} if key == "cases" else value
            say(f"  {key}: {shown}", markup=False)


@gate_app.command("status")
def gate_status(as_json: AsJson = False) -> None:
    """Show which cases judge, since when and how often they were looked at; 3 if they are to be renewed."""
    from dicomnode.commands.adapt_gate import gate_json, view_gate

    view = view_gate(configuration(), datetime.now(UTC))
    if as_json:
        print_json(gate_json(view))
    else:
        since = f" since {view.since:%Y-%m-%d}" if view.since else ""
        say(f"generation {view.generation} judges: {view.cases} cases{since}, {view.looks} looks", markup=False)
        if view.gathered != view.generation:
            say(
                f"generation {view.gathered} is gathered: {view.gathered_cases} of {view.needed} cases; it judges as"
                " soon as it has them",
                markup=False,
            )
        say(f"retired: {view.retired} cases", markup=False)
        for one in view.renewals:
            say(f"generation {one.generation}: {one.at:%Y-%m-%d} by {one.by}: {one.why}", markup=False)
        if view.warning:
            say(f"WARNING: {view.warning}", markup=False)
    if view.warning:
        raise typer.Exit(EXIT_ATTENTION)


@gate_app.command("renew")
def gate_renew(
    by: Annotated[str, typer.Option(help="The person who decides.")],
    why: Annotated[str, typer.Option(help="In words, without a patient's name.")],
    as_json: AsJson = False,
) -> None:
    """Have cases that come from now on judge instead of those of now, as soon as there are enough of them."""
    from dicomnode.commands.adapt_gate import renew_gate

    with open_books(f"adapt gate renew --by {by}") as books:
        renewal = renew_gate(books.configuration, by, why, datetime.now(UTC))
    if as_json:
        print_json({**vars(renewal), "at": renewal.at.isoformat()})
    else:
        say(
            f"generation {renewal.generation} of the gate is gathered; `dicomnode adapt gate status` shows it",
            markup=False,
        )

"""The part of the command line that is about learning from approved contours."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from dicomnode.cli_cases import adapt_cases, adapt_retry, case_app
from dicomnode.terminal import EXIT_ATTENTION, AsJson, configuration, print_json, say

adapt_app = typer.Typer(help="What is learnt from the contours that physicians approve.", no_args_is_help=True)
adapt_app.command("cases")(adapt_cases)
adapt_app.command("retry")(adapt_retry)
adapt_app.add_typer(case_app, name="case")


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

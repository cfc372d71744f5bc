"""The command line: reads arguments, calls one function, prints what it returns, and turns errors into exit codes.

Exit codes: 0 done; 1 what was asked could not be done, and a sentence says why; 2 the command line is wrong; 3 done,
and something needs a person (a verdict of `check` that is not good); 130 interrupted.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from adaptation.errors import AdaptationError
from dicomnode import __version__
from dicomnode.config import Configuration, load_configuration
from dicomnode.errors import NodeError
from dicomnode.node import Books
from segmentation.errors import SegmentationError

EXIT_FAILED, EXIT_ATTENTION, EXIT_INTERRUPTED = 1, 3, 130
CONFIGURATION_FILE = Path("/etc/dicomnode/dicomnode.toml")

app = typer.Typer(
    help="Contours the organs at risk on head-and-neck CT. Not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
series_app = typer.Typer(help="The CT series that the node knows, by number, UID or pseudonym.", no_args_is_help=True)
jobs_app = typer.Typer(help="Work that waits, failed or was given up.", no_args_is_help=True)
alarms_app = typer.Typer(help="What a person must look at.", no_args_is_help=True)
conflicts_app = typer.Typer(help="Instances with a known UID and other content.", no_args_is_help=True)
rules_app = typer.Typer(help="What an instance is for.", no_args_is_help=True)
for name, sub in {
    "series": series_app,
    "jobs": jobs_app,
    "alarms": alarms_app,
    "conflicts": conflicts_app,
    "rules": rules_app,
}.items():
    app.add_typer(sub, name=name)

out = Console(highlight=False)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SeriesName = Annotated[str, typer.Argument(help="Number, Series Instance UID or pseudonym.")]


class _Chosen:
    """Which configuration the command line names."""

    path: Path | None = None


@app.callback()
def choose(
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", envvar="DICOMNODE_CONFIG", help=f"Configuration; else {CONFIGURATION_FILE}."),
    ] = None,
) -> None:
    """Contours the organs at risk on head-and-neck CT. Not a medical device."""
    _Chosen.path = config


def configuration() -> Configuration:
    """Return the configuration that the command line names, the installed one, or the embedded defaults."""
    if _Chosen.path is not None:
        return load_configuration(_Chosen.path)
    if CONFIGURATION_FILE.is_file():
        return load_configuration(CONFIGURATION_FILE)
    home = os.environ.get("XDG_STATE_HOME", str(Path.home() / ".local" / "state"))
    return Configuration.default(Path(home) / "dicomnode")


def main() -> None:
    """Run the command line."""
    try:
        app(prog_name="dicomnode")
    except (NodeError, SegmentationError, AdaptationError) as error:
        _fail(str(error), EXIT_FAILED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `| head` has seen enough
        sys.exit(EXIT_FAILED)
    except KeyboardInterrupt:
        _fail("interrupted", EXIT_INTERRUPTED)


def _fail(text: str, code: int) -> NoReturn:
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(f"dicomnode: {text}")
    sys.exit(code)


def _say(text: object = "", *, markup: bool = True, end: str = "\n") -> None:
    """Print for a person; a long line is the terminal's to wrap, so that a UID stays one word."""
    out.print(text, markup=markup, end=end, soft_wrap=isinstance(text, str))


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


@app.command()
def version() -> None:
    """Print the version."""
    _say(__version__)


@app.command()
def serve() -> None:
    """Run the node until SIGTERM."""
    from dicomnode.commands.serve import serve as command

    command(configuration())


@app.command()
def demo(
    to: Annotated[Path, typer.Option("--out", help="Folder for the CT, the structure set, picture and table.")] = Path(
        "demo-result"
    ),
) -> None:
    """Run the main job on this machine: a phantom CT in by C-STORE, a structure set out, compared with the truth."""
    from dicomnode.commands.demo import run_demo

    result = run_demo(to, _say)
    table = Table("organ", "volume cm³", "true cm³", "DSC", title="Contours read back from the structure set")
    for row in result.rows:
        table.add_row(row.organ, f"{row.volume_cm3:.2f}", f"{row.true_cm3:.2f}", f"{row.dice:.3f}")
    _say(table)
    stages = Table("stage", "seconds")
    for stage, value in result.seconds.items():
        stages.add_row(stage, f"{value:.2f}")
    _say(stages)
    _say(f"{result.folder}: ct/, structure_set.dcm, contours.png, organs.csv, seconds.json, node.log")
    if result.faults:
        raise NodeError("; ".join(result.faults))


@app.command()
def segment(
    ct_dir: Annotated[Path, typer.Argument(help="Folder with one CT series.")],
    to: Annotated[Path, typer.Option("-o", "--out", help="The RTSTRUCT to write.")],
    bundle: Annotated[str, typer.Option(help="Model.")] = "starter",
    series: Annotated[str, typer.Option(help="Series Instance UID, where the folder has several.")] = "",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    picture: Annotated[Path | None, typer.Option(help="A PNG of the contours on slices.")] = None,
    insist: Annotated[
        bool, typer.Option("--insist", help="Contour although an operator would be asked first.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Contour a folder of CT without a network."""
    from dicomnode.commands.segment import find_ct_series, refuse_dishonest
    from dicomnode.commands.segment import segment as command
    from dicomnode.models import find_model

    settings = configuration()
    model = find_model(bundle, settings.contouring.bundle_dirs)
    paths = find_ct_series(ct_dir, series)
    refuse_dishonest(paths, settings.receiving.minimum_slices, insist=insist)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("contouring", total=1.0)
        done = command(
            paths,
            model,
            to,
            device=device,
            insist=insist,
            picture=picture,
            progress=lambda share: bar.update(task, completed=share),
        )
    contouring, written = done.contouring, done.written
    seconds = {**contouring.seconds, **written.seconds}
    if as_json:
        _print_json(
            {
                "structure_set": str(to),
                "slices": done.slices,
                "volumes_cm3": written.volumes_cm3,
                "not_found": list(contouring.not_found),
                "notes": list(contouring.notes),
                "seconds": seconds,
            }
        )
        return
    table = Table("organ", "volume cm³")
    for organ, volume in written.volumes_cm3.items():
        table.add_row(organ, f"{volume:.2f}")
    _say(table)
    for note in contouring.notes:
        _say(note, markup=False)
    _say(f"{to}: {done.slices} slices contoured in {sum(seconds.values()):.1f} s. Unreviewed.")


@app.command()
def send(
    peer: Annotated[str, typer.Argument(help="AE title of a peer of the configuration.")],
    files: Annotated[list[Path], typer.Argument(help="DICOM files or folders of them.")],
) -> None:
    """Send DICOM files to a peer by C-STORE."""
    from dicomnode.commands.send import send_files

    outcome = send_files(configuration(), peer, files)
    if not outcome.ok:
        raise NodeError(f"{peer}: {outcome.comment or 'refused'}; {outcome.sent} instances were taken")
    _say(f"{peer} took {outcome.sent} instances{f': {outcome.comment}' if outcome.comment else ''}", markup=False)


@app.command()
def echo(peer: Annotated[str, typer.Argument(help="AE title of a peer; all peers if none is named.")] = "") -> None:
    """Ask peers whether they answer (C-ECHO)."""
    from dicomnode.commands.echo import echo_peers

    outcomes = echo_peers(configuration(), peer)
    for ae_title, outcome in outcomes:
        _say(f"{ae_title}: {outcome.detail}", markup=False)
    if not all(outcome.ok for _, outcome in outcomes):
        sys.exit(EXIT_FAILED)


@app.command()
def check(as_json: AsJson = False) -> None:
    """Look at configuration, disk, database, models, device and peers, and contour a golden case."""
    from dicomnode.commands.check import as_json as verdict_json
    from dicomnode.commands.check import check_node

    verdicts = []
    for verdict in check_node(configuration()):
        verdicts.append(verdict)
        if not as_json:
            mark = "[green]good[/]" if verdict.passed else "[red]BAD [/]"
            _say(f"{mark} {verdict.subject}: ", end="")
            _say(verdict.text, markup=False)
    if as_json:
        _print_json([verdict_json(verdict) for verdict in verdicts])
    if not all(verdict.passed for verdict in verdicts):
        sys.exit(EXIT_ATTENTION)


@app.command("train-bundle")
def train_bundle(
    name: Annotated[str, typer.Argument(help="starter or demo.")],
    work: Annotated[Path, typer.Option(help="Folder for the checkpoint: an interrupted training goes on from it.")],
    data: Annotated[
        Path | None, typer.Option(help="OpenKBP's arrays, with `source` and `other`; not for demo.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--out", help="Folder of the bundle; else where it is shipped.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="Processor threads; else all.")] = None,
) -> None:
    """Train one of the shipped models anew, as docs/models.md says."""
    from dicomnode.commands.train import train_bundle as command

    if name not in {"starter", "demo"}:
        raise typer.BadParameter("the shipped models are starter and demo", param_hint="NAME")
    which: Literal["starter", "demo"] = "demo" if name == "demo" else "starter"
    manifest = command(which, data=data, out=to, work=work, device=device, threads=threads, say=_say)
    _say(f"{manifest.name} {manifest.version} is written")


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show what waits, what failed and why, and which model is in service."""
    from dicomnode.commands.show import show_status
    from dicomnode.commands.status import read_status, status_json

    with _books() as books:
        found = read_status(books)
    if as_json:
        _print_json(status_json(found))
    else:
        show_status(out, found)


@series_app.command("list")
def series_list(as_json: AsJson = False) -> None:
    """List the series."""
    from dicomnode.commands.series import as_json as series_json
    from dicomnode.commands.series import list_series
    from dicomnode.commands.show import show_series_list

    with _books() as books:
        views = list_series(books)
    if as_json:
        _print_json([series_json(view) for view in views])
    else:
        show_series_list(out, views)


@series_app.command("show")
def series_show(
    name: SeriesName,
    patient: Annotated[bool, typer.Option("--patient", help="Read the patient's ID and name from the files.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one series: its UID, why it is where it is, its structure sets and their deliveries."""
    from dicomnode.commands.series import as_json as series_json
    from dicomnode.commands.series import find_series, patient_of, view_series
    from dicomnode.commands.show import show_series

    with _books() as books:
        record = find_series(books, name)
        view = view_series(books, record)
        who = patient_of(books, record) if patient else None
    if as_json:
        identity = {"patient_id": who[0], "patient_name": who[1]} if who else {}
        _print_json({**series_json(view), **identity})
    else:
        show_series(out, view, who)


@series_app.command("release")
def series_release(name: SeriesName) -> None:
    """Contour a held series in spite of the reasons, where that makes sense."""
    _on_series(name, "release", "released: it will be contoured")


@series_app.command("resend")
def series_resend(name: SeriesName) -> None:
    """Send the newest structure set of a series again."""
    _on_series(name, "resend", "its structure set will be sent again")


@series_app.command("recontour")
def series_recontour(name: SeriesName) -> None:
    """Contour a series once more with the model in service."""
    _on_series(name, "recontour", "it will be contoured again")


def _on_series(name: str, action: str, said: str) -> None:
    from dicomnode.commands.series import find_series

    with _books() as books:
        getattr(books.examiner, action)(find_series(books, name))
    _say(f"series {name}: {said}", markup=False)


@jobs_app.command("list")
def jobs_list(
    everything: Annotated[bool, typer.Option("--all", help="Also what is over.")] = False, as_json: AsJson = False
) -> None:
    """List the work that waits, or that a person must look at."""
    from dicomnode.commands.jobs import as_json as job_json
    from dicomnode.commands.jobs import list_jobs
    from dicomnode.commands.show import show_jobs

    with _books() as books:
        jobs = list_jobs(books, everything=everything)
    if as_json:
        _print_json([job_json(job) for job in jobs])
    else:
        show_jobs(out, jobs)


@jobs_app.command("show")
def jobs_show(name: str, as_json: AsJson = False) -> None:
    """Show one piece of work."""
    from dicomnode.commands.jobs import as_json as job_json
    from dicomnode.commands.jobs import find_job
    from dicomnode.commands.show import show_jobs

    with _books() as books:
        job = find_job(books, name)
    if as_json:
        _print_json(job_json(job))
    else:
        show_jobs(out, [job])


@jobs_app.command("retry")
def jobs_retry(name: str) -> None:
    """Do a piece of work again, now."""
    from dicomnode.commands.jobs import retry_job

    with _books() as books:
        retry_job(books, name)
    _say(f"{name} is tried again", markup=False)


@jobs_app.command("cancel")
def jobs_cancel(name: str) -> None:
    """Give a piece of work up."""
    from dicomnode.commands.jobs import cancel_job

    with _books() as books:
        cancel_job(books, name)
    _say(f"{name} is cancelled", markup=False)


@rules_app.command("test")
def rules_test(
    files: Annotated[list[Path], typer.Argument(help="DICOM files.")],
    calling: Annotated[str, typer.Option(help="AE title that the files would come from.")] = "",
    called: Annotated[str, typer.Option(help="AE title that they would call; else the node's own.")] = "",
) -> None:
    """Say which rule matches each file, and why the ones before it do not."""
    from dicomnode.commands.rules import explain_rules

    settings = configuration()
    ruled = explain_rules(
        settings.rules, files, called_ae_title=called or settings.node.ae_title, calling_ae_title=calling
    )
    for one in ruled:
        if one.decision is None:
            _say(f"{one.path}: {one.fault}", markup=False)
            continue
        matched = one.decision.rule or "no rule matches"
        _say(f"{one.path}: {one.decision.action} ({matched})", markup=False)
        for reason in one.decision.why:
            _say(f"  {reason}", markup=False)
    if any(one.decision is None for one in ruled):
        sys.exit(EXIT_FAILED)


@alarms_app.command("list")
def alarms_list() -> None:
    """List the alarms that nobody has acknowledged."""
    from dicomnode.commands.show import show_alarms

    with _books() as books:
        show_alarms(out, books.ledger.alarms())


@alarms_app.command("acknowledge")
def alarms_acknowledge(number: int) -> None:
    """Take an alarm off the list."""
    with _books() as books:
        books.ledger.acknowledge(number)
    _say(f"alarm {number} is acknowledged")


@conflicts_app.command("list")
def conflicts_list() -> None:
    """List the conflicts that wait for a decision."""
    from dicomnode.commands.show import show_conflicts

    with _books() as books:
        show_conflicts(out, books.ledger.conflicts(), books.pseudonyms)


@conflicts_app.command("accept")
def conflicts_accept(number: int) -> None:
    """Let the new instance take the place of the one that was there; the series is contoured anew."""
    from dicomnode.commands.conflicts import accept_conflict

    with _books() as books:
        accept_conflict(books, number)
    _say(f"conflict {number}: the new instance is accepted")


@conflicts_app.command("reject")
def conflicts_reject(number: int) -> None:
    """Keep the instance that was there and delete the new one."""
    from dicomnode.commands.conflicts import reject_conflict

    with _books() as books:
        reject_conflict(books, number)
    _say(f"conflict {number}: the new instance is rejected")


@contextmanager
def _books() -> Iterator[Books]:
    """Open the books for one command."""
    books = Books.open(configuration())
    try:
        yield books
    finally:
        books.close()

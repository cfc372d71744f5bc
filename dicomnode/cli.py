"""The command line: reads arguments, calls one function, prints what it returns, and turns errors into exit codes.

Exit codes: 0 done; 1 what was asked could not be done, and a sentence says why; 2 the command line is wrong; 3 done,
and something needs a person (a verdict of `check` that is not good); 130 interrupted.
"""

import os
import secrets
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from adaptation.errors import AdaptationError
from dicomnode import __version__
from dicomnode.cli_adapt import adapt_app
from dicomnode.cli_models import MODEL_COMMANDS
from dicomnode.cli_operator import OPERATOR_APPS
from dicomnode.cli_structures import NamesFile, Time, site_names, structures_app
from dicomnode.cli_versions import versions_app
from dicomnode.errors import NodeError
from dicomnode.log import Pseudonyms, set_logging_up
from dicomnode.terminal import (
    CONFIGURATION_FILE,
    EXIT_ATTENTION,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    AsJson,
    choose_configuration,
    configuration,
    open_books,
    out,
    print_json,
    say,
)
from segmentation.errors import SegmentationError

app = typer.Typer(
    help="Contours the organs at risk on head-and-neck CT. Not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
rules_app = typer.Typer(help="What an instance is for.", no_args_is_help=True)
SUBS = {"adapt": adapt_app, "models": versions_app, "rules": rules_app, "structures": structures_app}
for name, sub in {**OPERATOR_APPS, **SUBS}.items():
    app.add_typer(sub, name=name)
for name, command in MODEL_COMMANDS.items():
    app.command(name)(command)


@app.callback()
def choose(
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", envvar="DICOMNODE_CONFIG", help=f"Configuration; else {CONFIGURATION_FILE}."),
    ] = None,
) -> None:
    """Contours the organs at risk on head-and-neck CT. Not a medical device."""
    choose_configuration(config)


def main() -> None:
    """Run the command line."""
    # Libraries quote values of a data set in their warnings; here, too, only that there was one is said.
    # What pynetdicom says of a failure, our own sentence says too.
    set_logging_up("console", "WARNING", Pseudonyms(secrets.token_bytes()), silent="pynetdicom")
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


@app.command()
def version() -> None:
    """Print the version."""
    say(__version__)


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
    names: NamesFile = None,
) -> None:
    """Run the main job on this machine: a phantom CT in by C-STORE, a structure set out, compared with the truth."""
    from dicomnode.commands.demo import run_demo

    result = run_demo(to, say, names)
    table = Table("organ", "volume cm³", "true cm³", "DSC", title="Contours read back from the structure set")
    for row in result.rows:
        table.add_row(row.organ, f"{row.volume_cm3:.2f}", f"{row.true_cm3:.2f}", f"{row.dice:.3f}")
    say(table)
    stages = Table("stage", "seconds")
    for stage, value in result.seconds.items():
        stages.add_row(stage, f"{value:.2f}")
    say(stages)
    say(f"{result.folder}: ct/, structure_set.dcm, contours.png, organs.csv, seconds.json, node.log")
    if result.faults:
        raise NodeError("; ".join(result.faults))


@app.command()
def segment(
    ct_dir: Annotated[Path, typer.Argument(help="Folder with one CT series.")],
    to: Annotated[Path, typer.Option("-o", "--out", help="The RTSTRUCT to write.")],
    bundle: Annotated[str, typer.Option(help="Model in service, or NAME@VERSION.")] = "starter",
    series: Annotated[str, typer.Option(help="Series Instance UID, where the folder has several.")] = "",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    picture: Annotated[Path | None, typer.Option(help="A PNG of the contours on slices.")] = None,
    seg: Annotated[Path | None, typer.Option(help="A DICOM Segmentation of the same organs.")] = None,
    profile: Annotated[
        str,
        typer.Option(
            "--profile", "--tps", help="For whom: clinical, exact, eclipse, raystation, monaco, pinnacle, mim."
        ),
    ] = "clinical",
    names: NamesFile = None,
    insist: Annotated[
        bool, typer.Option("--insist", help="Contour although an operator would be asked first.")
    ] = False,
    time: Time = "",
    as_json: AsJson = False,
) -> None:
    """Contour a folder of CT without a network."""
    from dicomnode.commands.ct_folder import find_ct_series, refuse_dishonest
    from dicomnode.commands.segment import segment as command
    from dicomnode.models import models_of

    settings = configuration()
    models = models_of(settings)
    model = models.called(bundle) if "@" in bundle else models.find(bundle)
    paths = find_ct_series(ct_dir, series)
    refuse_dishonest(paths, settings.receiving.minimum_slices, insist=insist)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("contouring", total=1.0)
        done = command(
            paths,
            model,
            to,
            site_names(names),
            profile=profile,
            device=device,
            insist=insist,
            time=time,
            picture=picture,
            segmentation=seg,
            progress=lambda share: bar.update(task, completed=share),
        )
    contouring, written = done.contouring, done.written
    seconds = {**contouring.seconds, **written.seconds}
    if as_json:
        print_json(
            {
                "structure_set": str(to),
                "segmentation": str(seg or ""),
                "slices": done.slices,
                "volumes_cm3": written.volumes_cm3,
                "not_found": list(contouring.not_found),
                "expected_dice": contouring.expected_dice,
                "engine": contouring.engine,
                "notes": list(contouring.notes),
                "seconds": seconds,
            }
        )
        return
    table = Table("organ", "volume cm³", "expected DSC")
    for organ, volume in written.volumes_cm3.items():
        expected = contouring.expected_dice.get(organ)
        table.add_row(organ, f"{volume:.2f}", "" if expected is None else f"{expected:.2f}")
    say(table)
    for note in contouring.notes:
        say(note, markup=False)
    say(f"{to}: {done.slices} slices contoured in {sum(seconds.values()):.1f} s. Unreviewed.")


@app.command()
def send(
    peer: Annotated[str, typer.Argument(help="AE title of a peer of the configuration.")],
    files: Annotated[list[Path], typer.Argument(help="DICOM files or folders of them.")],
) -> None:
    """Send DICOM files to a peer by C-STORE."""
    from dicomnode.commands.send import send_files

    settings = configuration()
    if settings.node.data_dir.is_dir():
        with open_books(f"send {peer}") as books:
            outcome = send_files(settings, peer, files, tell=books.auditor.write)
    else:  # a machine that only sends has no audit
        outcome = send_files(settings, peer, files)
    if not outcome.ok:
        raise NodeError(f"{peer}: {outcome.comment or 'refused'}; {outcome.sent} instances were taken")
    say(f"{peer} took {outcome.sent} instances{f': {outcome.comment}' if outcome.comment else ''}", markup=False)


@app.command()
def echo(peer: Annotated[str, typer.Argument(help="AE title of a peer; all peers if none is named.")] = "") -> None:
    """Ask peers whether they answer (C-ECHO)."""
    from dicomnode.commands.echo import echo_peers

    outcomes = echo_peers(configuration(), peer)
    for ae_title, outcome in outcomes:
        say(f"{ae_title}: {outcome.detail}", markup=False)
    if not all(outcome.ok for _, outcome in outcomes):
        sys.exit(EXIT_FAILED)


@app.command()
def query(
    peer: Annotated[str, typer.Argument(help="AE title of a peer that answers queries.")],
    study: Annotated[str, typer.Option(help="Study Instance UID.")],
    as_json: AsJson = False,
) -> None:
    """Ask a peer which series of a study it has (C-FIND)."""
    from dicomnode.audit.operator import audited
    from dicomnode.commands.fetch import query_peer
    from dicomnode.commands.show import show_found

    with open_books() as books, audited(books, f"query {peer}"):
        found = query_peer(books, peer, study)
    if as_json:
        print_json([asdict(each) for each in found])
    else:
        show_found(out, found)


@app.command()
def fetch(
    peer: Annotated[str, typer.Argument(help="AE title of a peer that answers queries.")],
    study: Annotated[str, typer.Option(help="Study Instance UID.")],
    series: Annotated[str, typer.Option(help="Series Instance UID.")],
    move: Annotated[bool, typer.Option("--move", help="By C-MOVE, to the running node.")] = False,
) -> None:
    """Fetch a series from a peer (C-GET, else C-MOVE); it is treated like one that was sent."""
    from dicomnode.audit.operator import audited
    from dicomnode.commands.fetch import fetch_from_peer

    with open_books() as books, audited(books, f"fetch {peer}"):
        outcome = fetch_from_peer(books, peer, (study, series), by_move=move)
    counts = f"{outcome.completed} instances came, {outcome.failed} did not"
    say(": ".join(each for each in (outcome.by, counts, outcome.comment) if each), markup=False)
    if not outcome.ok:
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
            say(f"{mark} {verdict.subject}: ", end="")
            say(verdict.text, markup=False)
    if as_json:
        print_json([verdict_json(verdict) for verdict in verdicts])
    if not all(verdict.passed for verdict in verdicts):
        sys.exit(EXIT_ATTENTION)


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show what waits, what failed and why, and which model is in service."""
    from dicomnode.commands.show import show_status
    from dicomnode.commands.status import read_status, status_json

    with open_books() as books:
        found = read_status(books)
    if as_json:
        print_json(status_json(found))
    else:
        show_status(out, found)


@app.command()
def purge(
    dry: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False, as_json: AsJson = False
) -> None:
    """Delete what is older than the configuration's section `retention` keeps it; the daemon does it every day."""
    from dicomnode.commands.purge import as_json as purged_json
    from dicomnode.commands.purge import purge_node
    from dicomnode.commands.show import show_purged

    with open_books("" if dry else "purge") as books:
        purged = purge_node(books, dry=dry)
    if as_json:
        print_json([purged_json(one) for one in purged])
    else:
        show_purged(out, purged)


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
            say(f"{one.path}: {one.fault}", markup=False)
            continue
        matched = one.decision.rule or "no rule matches"
        say(f"{one.path}: {one.decision.action} ({matched})", markup=False)
        for reason in one.decision.why:
            say(f"  {reason}", markup=False)
    if any(one.decision is None for one in ruled):
        sys.exit(EXIT_FAILED)

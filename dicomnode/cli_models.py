"""The part of the command line that makes models and judges them."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from dicomnode.cli_structures import NamesFile, site_names
from dicomnode.models import models_of
from dicomnode.terminal import AsJson, configuration, print_json, say

Data = Annotated[
    Path,
    typer.Option(
        help="Cases: DICOM CT with structure sets in any layout, OpenKBP's folders (pt_1/ct.csv), or .npz arrays."
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:1.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Processor threads; else all.")]
Automatic = Annotated[
    bool, typer.Option("--accept-automatic", help="Take what a program drew and nobody approved, too.")
]


def train(
    data: Data,
    to: Annotated[Path, typer.Option("--out", help="Folder of the bundle to write.")],
    preset: Annotated[str, typer.Option(help="site, or paper (Chen 2023, section 2.3).")] = "site",
    base: Annotated[
        str | None,
        typer.Option(help="What to begin with: a bundle's folder or name, or a file of torchvision's ResNet weights."),
    ] = None,
    freeze_through: Annotated[
        str | None,
        typer.Option(help="Last place that is not trained: conv4 (the paper's), conv5-b1, conv5, ..., nothing."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    per_organ: Annotated[bool, typer.Option("--per-organ", help="A network for each organ, as in the paper.")] = False,
    network: Annotated[str, typer.Option(help="full (ResNet-101) or small, where no base says it.")] = "full",
    organ: Annotated[list[str] | None, typer.Option(help="TG-263 name; may be given again. Else all drawn.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Else the preset's.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Slices in a batch; else the preset's.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, samples and split.")] = 1,
    unseen: Annotated[float, typer.Option(min=0, max=0.9, help="Share of patients kept for the figures.")] = 0.2,
    tuning: Annotated[float, typer.Option(min=0, max=0.9, help="Share of patients that choose the weights.")] = 0.1,
    work: Annotated[Path | None, typer.Option(help="Checkpoint, log, curves; else OUT-training.")] = None,
    device: Device = "auto",
    threads: Threads = None,
    automatic: Automatic = False,
    names: NamesFile = None,
    as_json: AsJson = False,
) -> None:
    """Train a model on cases of one's own; docs/training.md says how."""
    from dicomnode.commands.train import Request
    from dicomnode.commands.train import train as command

    request = Request(
        data=data,
        out=to,
        work=work or to.with_name(f"{to.name}-training"),
        preset=_one_of(preset, ("site", "paper"), "--preset"),
        base=named_or_found(base) if base else None,
        freeze_through=freeze_through,
        resume=resume,
        per_organ=per_organ,
        network=_one_of(network, ("full", "small"), "--network"),
        organs=tuple(organ or ()),
        steps=steps,
        batch=batch,
        seed=seed,
        unseen_share=unseen,
        tuning_share=tuning,
        device=device,
        threads=threads,
        automatic=automatic,
        own=site_names(names).own_names(),
    )
    with progress_bar() as bar:
        manifests = command(request, say=told_in(bar), watch=shown_in(bar))
    if as_json:
        print_json([manifest.model_dump(mode="json") for manifest in manifests])
        return
    for manifest in manifests:
        reached = (
            f"mean DSC {manifest.measured.mean_dice:.3f} on {manifest.measured.cases}" if manifest.measured else ""
        )
        say(f"{manifest.name} {manifest.version} is written. {reached}", markup=False)


def evaluate(
    bundle: Annotated[str, typer.Argument(help="A bundle's folder or name, or a folder of bundles, one an organ.")],
    data: Data,
    against: Annotated[str | None, typer.Option(help="Another bundle, on the same cases.")] = None,
    to: Annotated[Path, typer.Option("--out", help="Folder for report.html and report.json.")] = Path("evaluation"),
    key: Annotated[
        Path | None, typer.Option(help="A CSV file to write: which case has which number in the report.")
    ] = None,
    include_learnt: Annotated[
        bool, typer.Option("--include-learnt", help="Judge a model on what it has learnt from, too.")
    ] = False,
    automatic: Automatic = False,
    threshold: Annotated[
        float,
        typer.Option("--expected-dsc", help="What organs had of which less is expected is said apart.", min=0, max=1),
    ] = 0.7,
    names: NamesFile = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Judge a model on cases that it has not learnt from, alone or against another; docs/evaluation.md says how."""
    from adaptation.report import METRICS
    from adaptation.report import as_json as report_json
    from dicomnode.commands.evaluate import evaluate as command

    with Progress(console=Console(stderr=True, highlight=False), transient=True) as bar:
        task = bar.add_task("judging", total=None)
        report = command(
            [named_or_found(each) for each in (bundle, against) if each],
            data,
            out=to,
            key=key,
            own=site_names(names).own_names(),
            device=device,
            include_learnt=include_learnt,
            automatic=automatic,
            threshold=threshold,
            say=told_in(bar),
            progress=lambda done, of: bar.update(task, completed=done, total=of),
        )
    if as_json:
        print_json(report_json(report))
        return
    table = Table("organ", "cases", "not found", *(metric.title for metric in METRICS[:4]))
    for one in (*report.organs, report.mean):
        found = [one.summaries.get(metric.key) for metric in METRICS[:4]]
        cells = [
            f"{s.mean:.{m.decimals}f} ± {s.sd:.{m.decimals}f}" if s else ""
            for s, m in zip(found, METRICS, strict=False)
        ]
        table.add_row(one.organ, str(one.summaries["dsc"].count), str(one.not_found), *cells)
    say(table)
    if report.against:
        difference = report.mean.differences["dsc"]
        ends = f"{difference.summary.low:+.3f} to {difference.summary.high:+.3f}"
        say(f"mean DSC {difference.summary.mean:+.3f} ({ends}) against {report.against.name}, p {difference.p:.3f}")
    say(f"{to / 'report.html'} and report.json are written", markup=False)


def train_bundle(
    name: Annotated[str, typer.Argument(help="starter or demo.")],
    work: Annotated[Path, typer.Option(help="Folder for the checkpoint: an interrupted training goes on from it.")],
    data: Annotated[
        Path | None, typer.Option(help="OpenKBP's arrays, with `source` and `other`; not for demo.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--out", help="Folder of the bundle; else where it is shipped.")] = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Train one of the shipped models anew, as docs/models.md says."""
    from dicomnode.commands.train_bundle import train_bundle as command

    if name not in {"starter", "demo"}:
        raise typer.BadParameter("the shipped models are starter and demo", param_hint="NAME")
    which: Literal["starter", "demo"] = "demo" if name == "demo" else "starter"
    manifest = command(which, data=data, out=to, work=work, device=device, threads=threads, say=say)
    say(f"{manifest.name} {manifest.version} is written")


def calibrate(
    bundle: Annotated[Path, typer.Argument(help="A bundle's folder; its manifest is written anew.")],
    data: Annotated[
        Path | None, typer.Option(help="The cases that it was trained with, all of them; not for demo.")
    ] = None,
    unseen: Annotated[float, typer.Option(min=0, max=0.9, help="As its training had it; not for starter.")] = 0.2,
    tuning: Annotated[float, typer.Option(min=0, max=0.9, help="Likewise.")] = 0.1,
    automatic: Automatic = False,
    names: NamesFile = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Tell a bundle what its scores mean in DSC, by the cases that its training kept for choices."""
    from dicomnode.commands.calibrate import Kept
    from dicomnode.commands.calibrate import calibrate as command

    with Progress(console=Console(stderr=True, highlight=False), transient=True) as bar:
        bar.add_task("calibrating", total=None)
        manifest = command(
            bundle,
            Kept(data, unseen, tuning, site_names(names).own_names(), automatic),
            device=device,
            say=told_in(bar),
        )
    if as_json:
        print_json({organ: line.model_dump() for organ, line in manifest.calibration.items()})
        return
    table = Table("organ", "cases", "mean DSC", "slope", "error")
    for organ, line in manifest.calibration.items():
        table.add_row(organ, str(line.cases), f"{line.dice:.2f}", f"{line.slope:.2f}", f"{line.error:.2f}")
    say(table)


def named_or_found(model: str) -> Path:
    """Return a model's folder or file: the path itself where there is one, else the base's or a version's."""
    path = Path(model)
    return path if path.exists() else models_of(configuration()).called(model).folder


def progress_bar() -> Progress:
    """Return a bar with steps, loss, Dice of the tuning cases, and the time that is left."""
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    times = (TimeElapsedColumn(), TextColumn("gone,"), TimeRemainingColumn(), TextColumn("left"))
    return Progress(*columns, *times, console=Console(stderr=True, highlight=False), speed_estimate_period=300)


def told_in(bar: Progress) -> Callable[[str], None]:
    """Return what prints a line above a bar, on standard error, so that JSON stays alone on standard output."""
    return lambda text: bar.console.print(text, markup=False, soft_wrap=True)


def shown_in(bar: Progress) -> Callable[[Any, int], None]:
    """Return what shows each step of a training, or of several one after the other, in a bar.

    The bar is there from the first step on: of several processes only the leading one is told of steps.
    """

    def show(state: Any, steps: int) -> None:
        task = bar.task_ids[0] if bar.task_ids else bar.add_task("", total=steps, completed=state.step)
        history = state.history
        best = history.best_step
        dice = "" if best is None else f" best DSC {sum(history.tuning[best].values()) / len(history.tuning[best]):.3f}"
        bar.update(task, total=steps, completed=state.step, description=f"loss {history.losses[-1]:.4f}{dice}")

    return show


def _one_of(value: str, allowed: tuple[Any, ...], option: str) -> Any:
    if value not in allowed:
        raise typer.BadParameter(f"{value} is none of {', '.join(allowed)}", param_hint=option)
    return value


MODEL_COMMANDS: dict[str, Callable[..., None]] = {
    "train": train,
    "evaluate": evaluate,
    "train-bundle": train_bundle,
    "calibrate": calibrate,
}

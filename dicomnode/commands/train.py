"""Train a model from a folder of cases: from nothing, from weights of photographs, or by adapting a bundle."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from adaptation.build import CHECKPOINT, Workshop, build
from adaptation.data_folder import find_cases
from adaptation.errors import CaseError
from adaptation.labelled_ct import Case
from adaptation.presets import NetworkSize, Preset, Wish, recipe_of
from adaptation.state import State
from adaptation.team import device_of_process, team_of_torchrun
from dicomnode.errors import NodeError
from segmentation.bundle import Manifest, read_manifest
from segmentation.names import NO_OWN_NAMES, OwnNames
from segmentation.network.beginning import is_bundle
from segmentation.structures import BY_NAME, ORGANS

MOST_NAMES = 40  # of ROIs that are none of the organs
SIZED_BY = 5  # cases whose voxels are looked at for the network's grid


@dataclass(frozen=True)
class Request:
    """What the operator asks for; `dicomnode train --help` says what each means."""

    data: Path
    out: Path
    work: Path
    preset: Preset = "site"
    base: Path | None = None
    freeze_through: str | None = None
    resume: bool = False
    per_organ: bool = False
    network: NetworkSize = "full"
    organs: tuple[str, ...] = ()
    steps: int | None = None
    batch: int | None = None
    seed: int = 1
    unseen_share: float = 0.2
    tuning_share: float = 0.1
    device: str = "auto"
    threads: int | None = None
    automatic: bool = False
    own: OwnNames = field(default_factory=lambda: NO_OWN_NAMES)


def train(
    request: Request,
    *,
    say: Callable[[str], None] = lambda _text: None,
    watch: Callable[[State, int], None] = lambda _state, _steps: None,
) -> list[Manifest]:
    """Train one bundle, or with `per_organ` one for each organ in a folder of its name.

    Args:
        request: what is asked for.
        say: told what is happening, a line each time.
        watch: told after every step, with the number of all steps.

    Returns:
        The manifests, with what was measured on cases that the model has not seen; of several processes only the
        leading one returns any.

    Raises:
        NodeError: where an option does not fit.
        CaseError: where there are no cases.
        TrainingError: where the training cannot go on.
        BundleError: where the base cannot be used.
    """
    if request.threads:
        torch.set_num_threads(request.threads)
    chosen = torch.device(
        ("cuda" if torch.cuda.is_available() else "cpu") if request.device == "auto" else request.device
    )
    device = device_of_process(chosen)
    with team_of_torchrun(device) as team:
        tell = say if team.leads else (lambda _text: None)
        base = _base_of(request)
        found = find_cases(request.data, request.own, automatic=request.automatic)
        for left in found.left_out:
            tell(f"{left.what} is left out: {left.reason}")
        if unused := sorted(found.unused.items(), key=lambda each: -each[1])[:MOST_NAMES]:
            # A department's own name for an organ that nobody told us is to be seen here.
            tell(f"ROI names that are not taken for an organ: {', '.join(f'{name} {count}' for name, count in unused)}")
        organs = _organs(request, found.cases, base)
        cases = [case for case in found.cases if set(case.organs) & set(organs)]
        tell(f"{len(cases)} cases: {', '.join(_counted(organs, cases))}")
        wish = Wish(
            name=_name_of(request.out),
            preset=request.preset,
            organs=organs,
            voxel_mm=typical_voxel_mm(cases),
            network=request.network,
            frozen=request.freeze_through,
            steps=request.steps,
            seed=request.seed,
            unseen_share=request.unseen_share,
            tuning_share=request.tuning_share,
            batch=request.batch,
        )
        shop = Workshop(request.work, device, _command(), team, tell, watch)
        if not request.per_organ:
            made = [_build(request, wish, base, cases, shop)]
            return made if team.leads else []
        made = [
            _build(
                replace(request, out=request.out / organ, work=request.work / organ),
                replace(wish, organs=(organ,), name=f"{wish.name}-{organ.lower()}"),
                base,
                [case for case in cases if organ in case.organs],
                replace(shop, work=request.work / organ),
            )
            for organ in organs
        ]
        return made if team.leads else []


def _build(request: Request, wish: Wish, base: Manifest | None, cases: Sequence[Case], shop: Workshop) -> Manifest:
    """Train one bundle."""
    if (request.work / CHECKPOINT).exists() and not request.resume:
        raise NodeError(
            f"{request.work} holds the checkpoint of a training: --resume goes on with it; to begin anew remove it"
        )
    try:
        recipe = recipe_of(wish, base, pretrained=request.base is not None and base is None)
    except ValueError as error:
        raise NodeError(str(error)) from None
    return build(recipe, cases, request.out, shop, base=request.base)


def _base_of(request: Request) -> Manifest | None:
    """Return the manifest of the base, None for a file of weights or where there is none."""
    if request.base is None or request.base.is_file():
        return None
    if not is_bundle(request.base):
        raise NodeError(f"{request.base} is neither a bundle nor a file of weights")
    return read_manifest(request.base)


def _organs(request: Request, cases: Sequence[Case], base: Manifest | None) -> tuple[str, ...]:
    """Return the organs of the network: those asked for, else the base's, else all that were drawn."""
    if unknown := [organ for organ in request.organs if organ not in BY_NAME]:
        raise NodeError(f"{', '.join(unknown)}: not one of the organs {', '.join(BY_NAME)}")
    drawn = {organ for case in cases for organ in case.organs}
    wanted = request.organs or (base.organs if base else tuple(o.name for o in ORGANS if o.name in drawn))
    if base and (strange := [organ for organ in wanted if organ not in base.organs]):
        raise NodeError(
            f"{', '.join(strange)}: the base {base.name} does not know it; train without a base, or without it"
        )
    if not drawn & set(wanted):
        raise CaseError(f"none of {', '.join(wanted) or 'the organs'} was drawn in any case")
    return tuple(organ for organ in wanted if organ in drawn) if request.per_organ else tuple(wanted)


def _counted(organs: Sequence[str], cases: Sequence[Case]) -> list[str]:
    return [f"{organ} {sum(organ in case.organs for case in cases)}" for organ in organs]


def typical_voxel_mm(cases: Sequence[Case]) -> tuple[float, float, float]:
    """Return the median voxel of some cases: slice, row, column, mm; those that cannot be read are passed over."""
    voxels = []
    for case in cases[:: max(1, len(cases) // SIZED_BY)]:
        try:
            grid = case.load().volume.grid
        except CaseError:
            continue
        voxels.append((grid.slice_spacing_mm, grid.row_spacing_mm, grid.column_spacing_mm))
    if not voxels:
        raise CaseError("none of the cases can be read")
    slice_mm, row_mm, column_mm = np.median(voxels, axis=0)
    return float(slice_mm), float(row_mm), float(column_mm)


def _name_of(out: Path) -> str:
    """Return the bundle's name: its folder's, in the letters that a name may have."""
    return (
        "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in out.name.lower()).strip("-")[:40]
        or "model"
    )


def _command() -> str:
    """Return the command without the paths, which may tell a patient."""
    hidden, words = False, []
    for word in sys.argv[1:]:
        words.append("DIR" if hidden else word)
        hidden = word in {"--data", "--out", "--work", "--base", "--names"}
    return " ".join(["dicomnode", *words])

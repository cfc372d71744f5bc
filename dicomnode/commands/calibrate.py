"""Tell a bundle that exists what its scores mean, by the cases that its training kept for choices."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from adaptation.calibration import calibrate as lines_of
from adaptation.data_folder import find_cases
from adaptation.errors import CaseError
from adaptation.labelled_ct import Case
from adaptation.learnt_from import read_learnt_from
from adaptation.recipes import DEMO, STARTER
from adaptation.split import split
from dicomnode.commands.train_bundle import cases_of
from dicomnode.errors import NodeError
from segmentation.bundle import MANIFEST, Manifest, verify_bundle
from segmentation.durable import write_whole
from segmentation.names import NO_OWN_NAMES, OwnNames
from segmentation.predict import load_predictor
from segmentation.registry_version import RECORD

REBUILT = "dicomnode train-bundle"  # as a manifest has it
SHIPPED = {"starter": STARTER, "demo": DEMO}


@dataclass(frozen=True)
class Kept:
    """Which cases a training kept for choices; for a shipped bundle its recipe says which of its data.

    Args:
        data: folder of all cases of the training; the demo makes its own phantoms.
        unseen: share of patients that the training kept for its figures.
        tuning: share that it kept for choices.
        own: the site's own names of organs.
        automatic: the training took what a program drew and nobody approved, too.
    """

    data: Path | None = None
    unseen: float = 0.2
    tuning: float = 0.1
    own: OwnNames = field(default_factory=lambda: NO_OWN_NAMES)
    automatic: bool = False


def calibrate(
    bundle: Path, kept: Kept, *, device: str = "auto", say: Callable[[str], None] = lambda _text: None
) -> Manifest:
    """Write into a bundle's manifest what its scores mean; what it said before is replaced.

    Args:
        bundle: the folder.
        kept: the cases that its training kept for choices.
        device: on which the model runs.
        say: told what is left out and what was found, a line each time.

    Raises:
        NodeError: the bundle may not be changed, or cannot be written.
        CaseError: no case is there, or too few for every organ.
        BundleError: the bundle does not verify.
    """
    if (bundle / RECORD).exists():
        raise NodeError(f"{bundle} is a version of the registry, which is never changed: calibrate what it came from")
    manifest = verify_bundle(bundle)
    cases = _tuning_cases(manifest, kept, say)
    learnt = read_learnt_from(bundle)
    if strange := [case.name for case in cases if learnt and case.name not in learnt]:
        raise NodeError(
            f"{len(strange)} of {len(cases)} cases, as {strange[0]}, were not kept for choices when the bundle was "
            "trained: --data, --unseen and --tuning must be those of its training"
        )
    say(f"{len(cases)} cases to calibrate on")
    lines = lines_of(load_predictor(bundle, device), cases, say)
    if not lines:
        raise CaseError("no organ was drawn and found in three cases: nothing is said of this bundle's scores")
    calibrated = manifest.model_copy(update={"calibration": lines})
    try:
        write_whole(bundle / MANIFEST, (calibrated.model_dump_json(indent=2) + "\n").encode())
    except OSError as error:
        raise NodeError(f"{bundle / MANIFEST} cannot be written: {error.strerror}") from error
    return calibrated


def _tuning_cases(manifest: Manifest, kept: Kept, say: Callable[[str], None]) -> tuple[Case, ...]:
    """Return the cases that the bundle's training kept for choices.

    Raises:
        NodeError: that cannot be known.
        CaseError: they are not there.
    """
    made = manifest.provenance.command
    if made == f"{REBUILT} {manifest.name}" and (recipe := SHIPPED.get(manifest.name)) is not None:
        cases = cases_of("demo" if manifest.name == "demo" else "starter", kept.data)
        return split(cases, unseen=recipe.unseen_share, tune=recipe.tuning_share, seed=recipe.split_seed).tune
    if "train" not in made.split():
        raise NodeError(f"the bundle was made by `{made}`, which alone knows the cases that it kept for choices")
    if kept.data is None:
        raise NodeError("--data is needed: the cases that the bundle was trained with")
    found = find_cases(kept.data, kept.own, automatic=kept.automatic)
    for left in found.left_out:
        say(f"{left.what} is left out: {left.reason}")
    cases = [case for case in found.cases if set(case.organs) & set(manifest.organs)]
    return split(cases, unseen=kept.unseen, tune=kept.tuning, seed=manifest.provenance.seed).tune

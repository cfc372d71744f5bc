"""A model as a folder: weights, and a manifest that says what they are, for what, from what, and their digests.

This file needs neither torch nor scipy, so that the daemon can read and verify what its child process will load.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from segmentation.errors import BundleError
from segmentation.network.variant import Variant
from segmentation.structures import BY_NAME

MANIFEST = "manifest.json"
WEIGHTS = "weights.safetensors"
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Fraction = Annotated[float, Field(ge=0, le=1)]
Millimetres = Annotated[float, Field(gt=0)]


class Part(BaseModel):
    """What all parts of a manifest share: they cannot be changed, and a key that we do not know is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Preprocessing(Part):
    """How a CT becomes the network's input.

    Args:
        pixel_mm: in-plane grid of the network.
        slice_mm: distance of its slices.
        context: which slices are its channels, as steps of `slice_mm` from the slice that is contoured.
        hu_knots: HU and the value that the network sees there; straight between them, constant beyond. A map with
            several slopes shows soft tissue and bone in one channel. Air is 0, as the padding of convolutions.
    """

    pixel_mm: Millimetres
    slice_mm: Millimetres
    context: tuple[int, ...] = (-1, 0, 1)
    hu_knots: tuple[tuple[float, float], ...] = ((-1000, 0), (-160, 0.15), (240, 0.75), (1200, 1))

    @model_validator(mode="after")
    def knots_ascend(self) -> Self:
        """Refuse knots that are not in ascending order of HU."""
        hu = [knot[0] for knot in self.hu_knots]
        if len(hu) < 2 or sorted(set(hu)) != hu:
            raise ValueError("hu_knots need two or more HU values in ascending order")
        return self


class PostProcessing(Part):
    """How probabilities become a mask.

    Args:
        threshold: probability from which a voxel is the organ.
        min_cm3: what is smaller is not the organ, and the organ is reported as not found.
        part_share: of the largest part's weight, from which another part near it is the organ too; 1 for one part
            only. A streak of metal can cut a mandible in two.
        smoothing_slices: standard deviation of a Gaussian along the slices, in steps of the network's grid.
    """

    threshold: Fraction = 0.5
    min_cm3: Annotated[float, Field(ge=0)] = 0.0
    part_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    smoothing_slices: Annotated[float, Field(ge=0)] = 0.5


class Provenance(Part):
    """What the weights were trained from, enough to do it again.

    Args:
        data: in words, with the source.
        licence: of the data.
        citation: that the licence or good manners ask for.
        command: that rebuilds the bundle.
        seed: of the training.
        steps: that were taken.
        cases: how many cases were trained on.
        minutes: of training on the machine that did it.
    """

    data: str
    licence: str
    citation: str = ""
    command: str
    seed: int
    steps: int
    cases: int
    minutes: float


class Measured(Part):
    """What the model reached on cases that it had not seen.

    Args:
        cases: in words.
        dice: organ to mean Dice coefficient.
        mean_dice: over the organs.
    """

    cases: str
    dice: dict[str, Fraction]
    mean_dice: Fraction


class ExpectedDice(Part):
    """How a model's score of one organ became a Dice coefficient on the tuning cases: a straight line.

    Args:
        cases: that it was drawn through.
        score: mean of these cases' scores, as `segmentation.confidence` has them.
        dice: mean of their Dice coefficients.
        slope: of the line; 0 where the score told nothing, so that the mean is expected of every case.
        highest: score of these cases; nothing better is expected of a higher one.
        error: root of the mean squared error on each case, by the line through the others.
    """

    cases: Annotated[int, Field(ge=3)]
    score: Fraction
    dice: Fraction
    slope: Annotated[float, Field(ge=0)]
    highest: Fraction
    error: Annotated[float, Field(ge=0)]

    def at(self, score: float) -> float:
        """Return the Dice coefficient that is expected at a score, 0 to 1.

        Below the scores that were seen the line goes on down: that is a guess, but one that makes somebody look.
        """
        return min(1.0, max(0.0, self.dice + self.slope * (min(score, self.highest) - self.score)))


class Tail(Part):
    """A further Conv5 and head in the same weights, which draws some organs from the shared Conv1 to Conv4.

    Args:
        organs: that it draws.
        version: of the bundle that it came from.
        digest: of that bundle.
    """

    organs: Annotated[tuple[str, ...], Field(min_length=1)]
    version: str
    digest: Sha256


class Manifest(Part):
    """Everything about a model but its weights.

    Args:
        name: of the model, as `starter`.
        version: of these weights.
        purpose: whether it may be used on patients' CT; a model for phantoms refuses them.
        organs: TG-263 names in the order of the network's channels.
        variant: the network.
        preprocessing: of the CT.
        postprocessing: by organ; those that are not named have the defaults.
        tails: further tails, where some organs are another model's; none for most models.
        provenance: of the weights.
        measured: what it reached.
        calibration: by organ, what its scores mean; organs that are not named are drawn without an expectation.
        sha256: file name to digest, of each file of the bundle beside the manifest.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    version: Annotated[str, Field(min_length=1, max_length=64)]
    purpose: Literal["phantom", "patient"]
    organs: Annotated[tuple[str, ...], Field(min_length=1)]
    variant: Variant
    preprocessing: Preprocessing
    postprocessing: dict[str, PostProcessing] = {}
    tails: tuple[Tail, ...] = ()
    provenance: Provenance
    measured: Measured | None = None
    calibration: dict[str, ExpectedDice] = {}
    sha256: dict[str, Sha256] = {}

    @model_validator(mode="after")
    def parts_fit(self) -> Self:
        """Refuse organs that the project does not know or names twice, and a network with other channels."""
        unknown = sorted({*self.organs, *self.postprocessing} - set(BY_NAME))
        if unknown or len(set(self.organs)) != len(self.organs):
            raise ValueError(f"organs must be known and named once; unknown: {', '.join(unknown) or 'none'}")
        if len(self.preprocessing.context) != self.variant.in_channels:
            raise ValueError("the network needs as many input channels as the context has slices")
        if not set(self.calibration) <= set(self.organs):
            raise ValueError("only organs of the model are calibrated")
        routed = [organ for tail in self.tails for organ in tail.organs]
        if not set(routed) <= set(self.organs) or len(set(routed)) != len(routed):
            raise ValueError("tails draw organs of the model, each once")
        return self

    @property
    def routes(self) -> tuple[tuple[int, ...], ...]:
        """Of each further tail the channels that it draws."""
        return tuple(tuple(self.organs.index(organ) for organ in tail.organs) for tail in self.tails)


def shipped_bundle(name: str) -> Path:
    """Return the folder of a bundle that comes with the project: `starter` or `demo`."""
    return Path(__file__).parent / "bundles" / name


def read_manifest(folder: Path) -> Manifest:
    """Return what a bundle says about itself; nothing is verified.

    Raises:
        BundleError: where there is no manifest or it does not parse.
    """
    try:
        return Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except OSError as error:
        raise BundleError(f"the bundle {folder.name} has no readable {MANIFEST}: {error.strerror}") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise BundleError(f"the manifest of the bundle {folder.name} is not valid: {faults}") from error


def verify_bundle(folder: Path) -> Manifest:
    """Return the manifest of a bundle whose files are those that it was made with.

    Raises:
        BundleError: naming the file that is missing or whose digest is another.
    """
    manifest = read_manifest(folder)
    if WEIGHTS not in manifest.sha256:
        raise BundleError(f"the manifest of the bundle {folder.name} has no digest of {WEIGHTS}")
    for name, expected in manifest.sha256.items():
        if Path(name).name != name:
            raise BundleError(f"the bundle {folder.name} names a file outside of itself: {name}")
        try:
            found = sha256_of(folder / name)
        except OSError as error:
            raise BundleError(f"the bundle {folder.name} has no readable {name}: {error.strerror}") from error
        if found != expected:
            raise BundleError(f"{name} of the bundle {folder.name} is not the file that its manifest describes")
    return manifest


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def bundle_digest(manifest: Manifest) -> str:
    """Return what names a model exactly, 64 hexadecimal digits: of the manifest, which holds its files' digests."""
    # A model without further tails or calibration has the digest that it had before there were any.
    values = manifest.model_dump(
        mode="json", exclude={part for part in ("tails", "calibration") if not getattr(manifest, part)}
    )
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()

"""What the locked part of a network makes of a case, computed once and kept on disk for the training of the rest.

A view of a case is some of its samples, drawn and varied as the training would, with the features that the locked part
makes of them. Geometry cannot be varied on features, so a case has several views, and from one night to the next one
of them is drawn anew. A file's name is a digest of all that its content depends on: what fits is used again, and what
does not is never found.
"""

import hashlib
import json
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from adaptation.errors import TrainingError
from adaptation.recipes import Recipe
from adaptation.samples import Prepared, Sampler, Variation
from segmentation.durable import written_whole
from segmentation.network.cut import Locked, locked_places
from segmentation.network.segmenter import Segmenter

SUFFIX = ".features"
CHUNK = 8  # samples that go through the locked part at once
HALF_MAX = 65504.0  # the largest 16-bit float
MIB = 1 << 20


@dataclass(frozen=True)
class CacheSettings:
    """How much is kept.

    Args:
        views: of each case, at most.
        samples: of a view.
        budget_mib: of the disk; where it is short there are fewer views of each case.
    """

    views: int = 4
    samples: int = 32
    budget_mib: int = 20_000


@dataclass(frozen=True)
class Source:
    """A case whose features are wanted.

    Args:
        patient: pseudonym; the folder of the patient's files, so that they can be forgotten.
        digest: of the case's content and of how much each organ counts.
        prepare: gives the case on the network's grid; asked only where a view is missing.
    """

    patient: str
    digest: str
    prepare: Callable[[], Prepared]


class FeatureMaker:
    """Makes views, and keeps them in a folder.

    Args:
        folder: of the cache.
        network: with the weights that stay locked, on the device that computes.
        recipe: whose places are locked, how samples are drawn, and in which precision the network computes.
        settings: how much is kept.

    Raises:
        TrainingError: where no place is locked, or samples are drawn as whole slices.
    """

    def __init__(self, folder: Path, network: Segmenter, recipe: Recipe, settings: CacheSettings) -> None:
        self.folder = folder
        self.recipe = recipe
        self.settings = settings
        self.locked = locked_places(recipe.variant, recipe.training.trained)
        if not self.locked or not isinstance(recipe.variation, Variation):
            raise TrainingError("features are kept of a network with a locked part, and of samples around organs")
        self._variation = replace(recipe.variation, slices=settings.samples)
        self._part = Locked(network, self.locked).eval()
        self._about = json.dumps(
            {
                "organs": recipe.organs,
                "preprocessing": recipe.preprocessing.model_dump(mode="json"),
                "variation": asdict(self._variation),
                "precision": recipe.training.precision,
                "seed": recipe.training.seed,
                "locked": digest_of(self._part),
            },
            sort_keys=True,
        )

    def path_of(self, source: Source, view: int) -> Path:
        """Return the file of a view, there or not."""
        name = hashlib.sha256(f"{self._about}\n{source.digest}\n{view}".encode()).hexdigest()
        return self.folder / source.patient / f"{name[:40]}{SUFFIX}"

    def make(self, source: Source, views: Collection[int]) -> list[Path]:
        """Return the files of views of a case; those that are missing are made.

        Raises:
            CaseError: where the case is needed and cannot be read.
        """
        paths = {view: self.path_of(source, view) for view in views}
        if missing := {view: path for view, path in paths.items() if not path.exists()}:
            drawing = Sampler(
                [source.prepare()], self.recipe.organs, self.recipe.preprocessing.context, self._variation
            )
            for view, path in missing.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                content = save(self._view(drawing, view))
                with written_whole(path) as file:
                    file.write(content)
        return list(paths.values())

    def affordable_views(self, source: Source, cases: int, first: int) -> int:
        """Return how many views of each case the budget holds; the first view of one case is made to see its size.

        Args:
            source: of the case.
            cases: how many there are.
            first: number of the first view.
        """
        (path,) = self.make(source, [first])
        return min(self.settings.views, self.settings.budget_mib * MIB // (path.stat().st_size * max(1, cases)))

    def keep_only(self, paths: Collection[Path]) -> None:
        """Delete every view but these."""
        wanted = set(paths)
        for path in self.folder.rglob(f"*{SUFFIX}"):
            if path not in wanted:
                path.unlink(missing_ok=True)

    @torch.no_grad()
    def _view(self, drawing: Sampler, view: int) -> dict[str, Tensor]:
        """Return a view's tensors: features as (samples, rows, columns, channels), which a network reads fastest."""
        batch = drawing.batch(self.recipe.training.seed, view)
        device = next(self._part.parameters()).device
        knots = torch.tensor(self.recipe.preprocessing.hu_knots, device=device)
        deep, fine = [], []
        for first in range(0, len(batch), CHUNK):
            (slices,) = replace(batch, slices=batch.slices[first : first + CHUNK].to(device)).inputs(knots)
            bfloat16 = self.recipe.training.precision == "bfloat16"
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bfloat16):
                at_cut, of_conv2 = self._part(slices)
            deep.append(as_kept(at_cut))
            fine += [] if of_conv2 is None else [as_kept(of_conv2)]
        kept = {
            "deep": torch.cat(deep),
            "masks": batch.drawn.masks.bool().contiguous(),
            "was_drawn": batch.drawn.was_drawn.contiguous(),
        }
        return kept | ({"fine": torch.cat(fine)} if fine else {})


def as_kept(features: Tensor) -> Tensor:
    """Return features as they are kept: (B, H, W, C), 16 bits."""
    return features.float().clamp(-HALF_MAX, HALF_MAX).half().permute(0, 2, 3, 1).contiguous().cpu()


def digest_of(part: Locked) -> str:
    """Return what names the weights and statistics of the locked part, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for name, value in sorted(part.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()

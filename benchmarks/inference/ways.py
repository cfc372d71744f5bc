"""A series to a structure set, four ways: the paper's, the plain network, that on the body's box, and the node's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.inference.clock import Clock, Seconds, forget_peak, peak_mib
from benchmarks.inference.whole import whole_grid
from segmentation.autocontour import Output, contour_files, write_outputs
from segmentation.contouring import Contouring
from segmentation.organ_mask import OrganMask
from segmentation.postprocess import draw_organs
from segmentation.predict import CT_RANGE_HU, Predictor
from segmentation.preprocess import to_values
from segmentation.structure_set_identity import StructureSetIdentity
from segmentation.volume import Volume

ROOT = "1.2.826.0.1.3680043.8.498.77"
STAGES = ("reading", "resampling", "network", "post-processing", "structure set")
Said = NDArray[np.float16]


class InFloat32(nn.Module):
    """A network that computes in float32, whatever is asked of it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, slices: Tensor) -> Tensor:
        """Return the network's logits."""
        with torch.autocast(slices.device.type, enabled=False):
            logits: Tensor = self.network(slices.float())
        return logits


@dataclass(frozen=True, eq=False)
class Timed(Predictor):
    """A predictor whose stages are timed.

    Args:
        whole: whether whole slices are computed, or the body's box.
        passes: how often the network runs for one result.
        few: on how many slices it is timed, and scaled to all; None for all.
        said: by the shape of its grid, what the network is taken to have said where it runs on few slices; where it
            runs on all, what it said is put in here.
        clock: that is read at each stage.
    """

    whole: bool = False
    passes: int = 1
    few: int | None = None
    said: dict[tuple[int, ...], Said] = field(default_factory=dict)
    clock: Clock = field(default_factory=lambda: Clock(torch.device("cpu")))

    def predict(self, volume: Volume, *, progress: Callable[[float], None] | None = None) -> Contouring:
        """Draw the organs, on whole slices or as the node does."""
        self.clock.lap("reading")
        found = self._on_whole_slices(volume) if self.whole else super().predict(volume, progress=progress)
        self.clock.lap("post-processing")
        return found

    def _on_whole_slices(self, volume: Volume) -> Contouring:
        """Do as `predict` does, on the whole CT."""
        grid, known = whole_grid(volume, self.manifest), self.manifest
        values = to_values(grid.down(np.clip(volume.hu, *CT_RANGE_HU)), known.preprocessing.hu_knots)
        said = dict(zip(known.organs, self.probabilities(values), strict=True))
        organs = draw_organs(said, grid, known.postprocessing, volume.grid.shape, volume.grid.voxel_cm3)
        missing = tuple(organ for organ in known.organs if organ not in organs)
        return Contouring(organs, missing, (), known.name, known.version, self.digest)

    def probabilities(
        self, values: NDArray[np.float32], progress: Callable[[float], None] | None = None
    ) -> NDArray[np.float16]:
        """Return what the network says, or is taken to have said."""
        self.clock.lap("resampling")
        if self.few is None:
            found = super().probabilities(values, progress)
            self.clock.lap("network")
            if self.whole:
                self.said[values.shape] = found
            self.clock.lap("not counted")
            return found
        middle = max(0, (len(values) - self.few) // 2)
        some = values[middle : middle + self.few]
        super().probabilities(some)  # what an engine does once for a size is not scaled
        self.clock.lap("not counted")
        super().probabilities(some)
        self.clock.lap("network", self.passes * len(values) / len(some))
        found = self.said[values.shape].copy()
        self.clock.lap("not counted")
        return found


@dataclass(frozen=True, eq=False)
class Run:
    """One series, one way.

    Args:
        seconds: by stage.
        peak_mib: the most memory of the process, above what it had before.
        organs: that were drawn.
    """

    seconds: dict[str, Seconds]
    peak_mib: float
    organs: dict[str, OrganMask]

    @property
    def total(self) -> Seconds:
        """Of all stages."""
        return sum((self.seconds[stage] for stage in STAGES), Seconds())


def run(paths: Sequence[Path], predictor: Timed) -> Run:
    """Make a structure set of a series as the node does, the stages timed."""
    clock = predictor.clock
    clock.stages.clear()
    before_mib = forget_peak(predictor.device)
    clock.lap("not counted")
    contouring = contour_files(paths, predictor, insist=True)
    with TemporaryDirectory() as folder:
        clock.lap("not counted")
        write_outputs(paths, contouring, [Output(identity(predictor), Path(folder) / "rs.dcm")])
        clock.lap("structure set")
    return Run(dict(clock.stages), peak_mib(predictor.device) - before_mib, dict(contouring.organs))


def identity(predictor: Predictor) -> StructureSetIdentity:
    """Return who the structure set is; it is thrown away."""
    return StructureSetIdentity(
        sop_instance_uid=f"{ROOT}.1",
        series_instance_uid=f"{ROOT}.2",
        label="timed",
        created=datetime(2020, 1, 1, tzinfo=UTC),
        model_name=predictor.manifest.name,
        model_version=predictor.manifest.version,
        model_digest=predictor.digest or "0" * 64,
        software_version="1",
    )

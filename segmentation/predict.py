"""A CT in, its organs out: the body's box on the network's grid, in batches, on the device that is there."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydicom import Dataset
from torch import nn

from segmentation.bundle import Manifest, bundle_digest, verify_bundle
from segmentation.confidence import expected_dice
from segmentation.contouring import Contouring, in_words
from segmentation.errors import NotThisModelError
from segmentation.network.checkpoint import load_segmenter
from segmentation.network.engine import Engine, on_engine
from segmentation.phantom_series import is_phantom
from segmentation.plausibility import doubts_about
from segmentation.postprocess import draw_organs
from segmentation.preprocess import NetworkGrid, body_box, to_values, with_context
from segmentation.volume import Volume

CPU_BATCH_PIXELS = 1 << 16  # what fits into a core's share of memory bandwidth without being swapped in and out
CUDA_BATCH_PIXELS = 1 << 22
CT_RANGE_HU = (-1024, 3071)  # 12 bits stored, intercept -1024


@dataclass(frozen=True, eq=False)
class Predictor:
    """A model that is ready.

    Args:
        manifest: what it is.
        digest: SHA-256 that names it exactly.
        network: on the device; made ready where a bundle is loaded, as it is where weights are still to come.
        device: where it runs.
        engine: what computes it, in words; empty where nobody asks.
        fault: why that is not what it should be; empty where nothing is wrong.
    """

    manifest: Manifest
    digest: str
    network: nn.Module
    device: torch.device
    engine: str = ""
    fault: str = ""

    def predict(self, volume: Volume, *, progress: Callable[[float], None] | None = None) -> Contouring:
        """Draw the organs on a CT.

        Args:
            volume: an axial CT, in its own pixel order.
            progress: told of the share that is done, 0 to 1.

        Raises:
            GeometryError: for planes that are not axial.
        """
        started = time.monotonic()
        preprocessing = self.manifest.preprocessing
        grid = NetworkGrid.over(volume.grid, body_box(volume), preprocessing)
        # Padding far below air, and metal far above bone, would spread into their neighbours' averages.
        values = to_values(grid.down(np.clip(volume.hu, *CT_RANGE_HU)), preprocessing.hu_knots)
        prepared = time.monotonic()
        probabilities = self.probabilities(values, progress)
        predicted = time.monotonic()
        organs = draw_organs(
            dict(zip(self.manifest.organs, probabilities, strict=True)),
            grid,
            self.manifest.postprocessing,
            volume.grid.shape,
            volume.grid.voxel_cm3,
        )
        not_found = tuple(organ for organ in self.manifest.organs if organ not in organs)
        doubts, expected = doubts_about(organs, volume.grid), expected_dice(organs, self.manifest.calibration)
        notes = (
            *(f"{organ} was not found." for organ in not_found),
            *(sentence for sentences in doubts.values() for sentence in sentences),
            *([in_words(expected)] if expected else []),
        )
        return Contouring(
            organs=organs,
            not_found=not_found,
            notes=notes,
            model_name=self.manifest.name,
            model_version=self.manifest.version,
            model_digest=self.digest,
            engine=self.engine,
            seconds={
                "prepare": prepared - started,
                "network": predicted - prepared,
                "draw": time.monotonic() - predicted,
            },
            expected_dice=expected,
            doubts=doubts,
        )

    @torch.inference_mode()
    def probabilities(
        self, values: NDArray[np.float32], progress: Callable[[float], None] | None = None
    ) -> NDArray[np.float16]:
        """Return what the network says of a CT on its grid.

        Args:
            values: float32, (slices, rows, columns), after `to_values`.
            progress: told of the share that is done.

        Returns:
            float16, (organs, slices, rows, columns): half the memory, and finer than any threshold.
        """
        slices, rows, columns = values.shape
        # Whole cells of the features: else what is enlarged again would be shifted by a part of one.
        cell = max(self.manifest.variant.output_stride, self.manifest.variant.stem_stride)
        padded = np.pad(values, ((0, 0), (0, -rows % cell), (0, -columns % cell)))
        limit = CUDA_BATCH_PIXELS if self.device.type == "cuda" else CPU_BATCH_PIXELS
        most = max(1, limit // (padded.shape[1] * padded.shape[2]))
        batch = math.ceil(slices / math.ceil(slices / most))
        numbers = numbers_in(self.network)
        found = np.empty((len(self.manifest.organs), slices, rows, columns), dtype=np.float16)
        for start in range(0, slices, batch):
            # The last batch goes back over a few slices: an engine makes itself ready for each size anew.
            first = min(start, slices - batch)
            chosen = range(first, first + batch)
            context = torch.from_numpy(with_context(padded, chosen, self.manifest.preprocessing.context))
            context = context.to(self.device, numbers, non_blocking=True, memory_format=torch.channels_last)
            with torch.autocast(self.device.type, dtype=torch.float16, enabled=self.device.type == "cuda"):
                logits = self.network(context)
            said = logits.float().sigmoid().half().cpu().numpy()[:, :, :rows, :columns]
            found[:, first : chosen.stop] = said.swapaxes(0, 1)
            if progress:
                progress(chosen.stop / slices)
        return found


def numbers_in(network: nn.Module) -> torch.dtype:
    """Return the kind of numbers that a network takes: its weights', float32 where an engine has them."""
    return next((weight.dtype for weight in network.parameters()), torch.float32)


def load_predictor(
    folder: Path, device: str = "auto", engine: Engine = "auto", *, as_trained: bool = False
) -> Predictor:
    """Return the model of a bundle, verified, on a device.

    Args:
        folder: the bundle.
        device: `auto` for CUDA where there is one, or a name that torch knows.
        engine: that computes it.
        as_trained: in the numbers of a training, to be compared with what is being trained; else as fast as it can be.

    Raises:
        BundleError: where the bundle does not verify or its weights do not fit.
        EngineError: where the engine is asked for by name and does not work here.
    """
    manifest = verify_bundle(folder)
    chosen = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
    network = load_segmenter(folder, chosen)
    if as_trained:
        return Predictor(manifest, bundle_digest(manifest), network, chosen)
    quick = on_engine(network, manifest.variant.in_channels, engine)
    return Predictor(manifest, bundle_digest(manifest), quick.network, chosen, quick.engine, quick.fault)


def refuse_wrong_purpose(manifest: Manifest, headers: Sequence[Dataset]) -> None:
    """Refuse a CT of a patient where the model is for phantoms; a model for patients may be tried on a phantom.

    Args:
        manifest: of the model.
        headers: of the CT's slices.

    Raises:
        NotThisModelError: saying so.
    """
    if manifest.purpose == "phantom" and not all(is_phantom(header) for header in headers):
        raise NotThisModelError(
            f"the model {manifest.name} was trained on phantoms and may not be used on a patient's CT"
        )

"""A real network of a few thousand weights that learns in seconds to find organs which are bright: a model for tests.

The organs of `marked` phantoms have a grey value of their own, above all else in the CT, so a network that knows three
grey values draws them; everything around it, from the bundle to the structure set, is the real thing.
"""

import functools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydicom.dataset import Dataset
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from segmentation.bundle import ExpectedDice, Manifest, Preprocessing, Provenance
from segmentation.network.checkpoint import write_bundle
from segmentation.network.segmenter import Segmenter
from segmentation.network.variant import Variant
from segmentation.phantom import Phantom
from segmentation.volume import Volume
from tests.support.series import series_of, small_phantom

ORGAN_HU = {"Brainstem": 1600, "Parotid_L": 2200, "Parotid_R": 2800}
BRIGHTEST_ELSE_HU = 900
KNOTS = ((-1000.0, 0.0), (1000.0, 0.05), (1600.0, 0.35), (2200.0, 0.65), (2800.0, 0.95))
VALUES = (0.35, 0.65, 0.95)  # of the organs, as the network sees them
VARIANT = Variant(
    in_channels=1,
    width=4,
    blocks=(1, 1, 1, 1),
    stem_stride=1,
    output_stride=1,
    multi_grid=(1,),
    pyramid_dilations=(1,),
    head="plus",
    head_channels=16,
)
STEPS = 150
NOTHING: Mapping[str, ExpectedDice] = {}
# A patient who is no patient: the shipped rules would ignore a PHANTOM, and nobody is called so.
PATIENT = {"PatientName": "Made^Upright", "PatientID": "MADE-4711"}


def write_tiny_bundle(
    folder: Path, *, version: str = "1", purpose: str = "patient", calibration: Mapping[str, ExpectedDice] = NOTHING
) -> Manifest:
    """Write the bundle; another version is another model."""
    manifest = Manifest(
        name="tiny",
        version=version,
        purpose=purpose,
        organs=tuple(ORGAN_HU),
        variant=VARIANT,
        preprocessing=Preprocessing(pixel_mm=4.0, slice_mm=5.0, context=(0,), hu_knots=KNOTS),
        provenance=Provenance(data="none", licence="none", command="none", seed=0, steps=STEPS, cases=0, minutes=0.0),
        calibration=dict(calibration),
    )
    return write_bundle(folder, manifest, _trained())


@functools.cache
def marked_phantom(slices: int = 32) -> Phantom:
    """Return a coarse phantom, 96 x 96 x 4 mm and 5 mm slices, in which three organs have a grey value of their own."""
    phantom = small_phantom(1, rows=96, columns=96, pixel_mm=4.0, slice_mm=5.0, slices=slices, top_mm=60.0)
    hu = np.minimum(phantom.volume.hu, BRIGHTEST_ELSE_HU)
    for organ, value in ORGAN_HU.items():
        hu[phantom.masks[organ]] = value
    return replace(phantom, volume=Volume(hu, phantom.volume.grid))


def marked_series(number: int = 1, *, slices: int = 32, header: Mapping[str, Any] | None = None) -> list[Dataset]:
    """Return the CT of a marked phantom; another number is another patient, with other UIDs and the same anatomy."""
    who = {**PATIENT, "PatientID": f"{PATIENT['PatientID']}-{number}"}
    return series_of(marked_phantom(slices), seed=number, header={**who, **(header or {})})


@functools.cache
def _trained() -> dict[str, Tensor]:
    """Return the weights after a few seconds of bright rectangles."""
    random = np.random.default_rng(4711)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so small a network only waits for its threads
    with torch.random.fork_rng():
        torch.manual_seed(4711)
        network = Segmenter(VARIANT, len(ORGAN_HU))
        optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
        network.train()
        for step in range(STEPS):
            optimiser.param_groups[0]["lr"] = 0.02 * (1 - step / STEPS)
            picture, truth = _pictures(random)
            optimiser.zero_grad()
            binary_cross_entropy_with_logits(network(picture), truth).backward()
            optimiser.step()
    torch.set_num_threads(threads)
    return network.state_dict()


def _pictures(random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return a batch of pictures with rectangles of the organs' values, and where these are."""
    picture = random.uniform(0, 0.05, (4, 1, 24, 24))
    truth = np.zeros((4, len(VALUES), 24, 24))
    for image, masks in zip(picture, truth, strict=True):
        for organ, value in enumerate(VALUES):
            row, column = random.integers(0, 20, 2)
            height, width = random.integers(3, 12, 2)
            place = np.s_[row : row + height, column : column + width]
            image[0][place] = value
            masks[:, row : row + height, column : column + width] = 0
            masks[organ][place] = 1
    return torch.from_numpy(picture).float(), torch.from_numpy(truth).float()

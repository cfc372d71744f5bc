"""What a model drew on one CT, and its way from the child process to the next step: a file that is whole or not there.

Neither torch nor scipy is needed to read it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from segmentation.durable import written_whole
from segmentation.errors import SegmentationError
from segmentation.organ_mask import OrganMask

FORMAT = 1  # of the file; a reader refuses another


@dataclass(frozen=True, eq=False)
class Contouring:
    """The organs of one CT.

    Args:
        organs: TG-263 name to the organ on the CT's own grid; only those that were found.
        not_found: organs that the model knows and did not find.
        notes: what whoever looks at the result should know, each a sentence.
        model_name: as `starter`.
        model_version: of the weights.
        model_digest: SHA-256 that names the model exactly.
        seconds: by stage.
        expected_dice: Dice coefficient that an organ is expected to have; only of those it is calibrated for.
        doubts: by organ, why it looks implausible, each a sentence that is among the notes too.
        engine: that computed the network, in words.
    """

    organs: dict[str, OrganMask]
    not_found: tuple[str, ...]
    notes: tuple[str, ...]
    model_name: str
    model_version: str
    model_digest: str
    seconds: dict[str, float] = field(default_factory=dict)
    expected_dice: dict[str, float] = field(default_factory=dict)
    doubts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    engine: str = ""

    @property
    def summary(self) -> str:
        """What a reviewer should know first, as the description of an instance has it; empty where that is nothing."""
        odd = f"Implausible: {', '.join(self.doubts)}." if self.doubts else ""
        return " ".join(filter(None, [odd, in_words(self.expected_dice)]))

    @property
    def remarks(self) -> dict[str, str]:
        """What is to be said of an organ beside its contours, by organ; nothing of most."""
        said = {
            name: [
                *([f"Expected DSC {self.expected_dice[name]:.2f}."] if name in self.expected_dice else []),
                *self.doubts.get(name, ()),
            ]
            for name in self.organs
        }
        return {name: " ".join(sentences) for name, sentences in said.items() if sentences}


def in_words(expected: Mapping[str, float]) -> str:
    """Return expectations as a sentence, as "Expected DSC: Brainstem 0.78, Parotid_L 0.71."; empty where none are."""
    return f"Expected DSC: {', '.join(f'{name} {value:.2f}' for name, value in expected.items())}." if expected else ""


def save_contouring(contouring: Contouring, path: Path) -> None:
    """Write a contouring so that a power cut leaves the whole file or none under its name."""
    with written_whole(path) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays_of(contouring))


def arrays_of(contouring: Contouring) -> dict[str, NDArray[Any]]:
    """Return what the file holds: one text in JSON, and a mask and a probability for each organ."""
    about = {
        "format": FORMAT,
        "not_found": contouring.not_found,
        "notes": contouring.notes,
        "model_name": contouring.model_name,
        "model_version": contouring.model_version,
        "model_digest": contouring.model_digest,
        "seconds": contouring.seconds,
        "expected_dice": contouring.expected_dice,
        "doubts": contouring.doubts,
        "engine": contouring.engine,
        "organs": [
            {"name": name, "grid_shape": organ.grid_shape, "start": organ.start}
            for name, organ in contouring.organs.items()
        ],
    }
    arrays: dict[str, NDArray[Any]] = {"about": np.array(json.dumps(about))}
    for name, organ in contouring.organs.items():
        arrays[f"{name}.mask"] = organ.mask
        if organ.probability is not None:
            arrays[f"{name}.probability"] = organ.probability
    return arrays


def load_contouring(path: Path) -> Contouring:
    """Return a contouring that was written.

    Raises:
        SegmentationError: where the file is not one, or one of another release.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            about = json.loads(str(arrays["about"]))
            if about["format"] != FORMAT:
                raise SegmentationError(f"{path.name} was written by another release; contour the series again")
            return Contouring(
                organs={one["name"]: organ_of(one, arrays) for one in about["organs"]},
                not_found=tuple(about["not_found"]),
                notes=tuple(about["notes"]),
                model_name=about["model_name"],
                model_version=about["model_version"],
                model_digest=about["model_digest"],
                seconds=about["seconds"],
                # A file of a release that did not know these is whole without them.
                expected_dice=about.get("expected_dice", {}),
                doubts={name: tuple(sentences) for name, sentences in about.get("doubts", {}).items()},
                engine=about.get("engine", ""),
            )
    except (OSError, KeyError, ValueError, BadZipFile) as error:
        raise SegmentationError(f"{path.name} is not a contouring that can be read: {error}") from error


def organ_of(about: dict[str, Any], arrays: Any) -> OrganMask:
    """Return one organ of the file."""
    name = about["name"]
    slices, rows, columns = about["grid_shape"]
    first, second, third = about["start"]
    return OrganMask(
        grid_shape=(slices, rows, columns),
        start=(first, second, third),
        mask=arrays[f"{name}.mask"],
        probability=arrays.get(f"{name}.probability"),
    )

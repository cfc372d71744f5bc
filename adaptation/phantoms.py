"""The project's own phantoms as cases to learn from; each seed is another patient who does not exist."""

from collections.abc import Iterable
from functools import partial

from adaptation.labelled_ct import Case, LabelledCt
from segmentation.phantom import build_phantom
from segmentation.structures import ORGANS

ROWS, PIXEL_MM, SLICE_MM = 512, 1.0, 3.0  # as planning CT is made


def list_phantoms(seeds: Iterable[int]) -> list[Case]:
    """Return the phantoms of some seeds."""
    names = tuple(organ.name for organ in ORGANS)
    return [Case(f"phantom-{seed:05d}", "phantom", partial(build_case, seed), names) for seed in seeds]


def build_case(seed: int) -> LabelledCt:
    """Return one phantom with the organs that lie within its slices."""
    phantom = build_phantom(seed, rows=ROWS, columns=ROWS, pixel_mm=PIXEL_MM, slice_mm=SLICE_MM)
    return LabelledCt(phantom.volume, {organ: mask for organ, mask in phantom.masks.items() if mask.any()})

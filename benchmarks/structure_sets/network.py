"""How near the contours run to the .5 surface of what a real network says, up-sampled 8 times in the slice's plane.

`python -m benchmarks.structure_sets.network`; a minute. The shipped model `demo` on the phantom of the golden case.
"""

import numpy as np
from contourpy import contour_generator
from numpy.typing import NDArray
from scipy.ndimage import zoom
from scipy.spatial import KDTree

from benchmarks.structure_sets.analytic import along_rings
from segmentation.bundle import shipped_bundle
from segmentation.contours import CLINICAL, EXACT, trace_organ
from segmentation.golden import PIXEL_MM, ROWS, SEED, SLICE_MM
from segmentation.organ_mask import OrganMask
from segmentation.phantom import build_phantom
from segmentation.predict import load_predictor
from segmentation.profiles import Profile

FINER = 8


def surface_of(probability: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return points of the .5 level line of a slice, (points, 2), row and column, from values 1/8 of a pixel apart."""
    rows, columns = probability.shape
    shape = (rows - 1) * FINER + 1, (columns - 1) * FINER + 1
    finer = zoom(probability.astype(float), (shape[0] / rows, shape[1] / columns), order=3)  # cubic splines
    lines = contour_generator(z=finer).lines(0.5)
    return np.concatenate(lines)[:, ::-1] / FINER if lines else np.zeros((0, 2))


def distances_px(organ: OrganMask, profile: Profile) -> tuple[float, float]:
    """Return the sum of the distances from contours to surface and back, by length, and of the lengths.

    Slices on which post-processing changed what the network says are left out: there the surface is another.
    """
    total = np.zeros(2)
    if organ.probability is None:
        return 0.0, 0.0
    for index, rings in trace_organ(organ, profile).items():
        plane = index - organ.start[0]
        if not np.array_equal(organ.probability[plane] > 0.5, organ.mask[plane]):
            continue
        surface = surface_of(organ.probability[plane])
        points, weights = along_rings([ring - organ.start[1:] for ring in rings])
        there = KDTree(surface).query(points)[0] @ weights
        back = KDTree(points).query(surface)[0].mean() * weights.sum()
        total += (there + back) / 2, weights.sum()
    return float(total[0]), float(total[1])


def main() -> None:
    """Print the mean distance for each organ and profile."""
    phantom = build_phantom(SEED, rows=ROWS, columns=ROWS, pixel_mm=PIXEL_MM, slice_mm=SLICE_MM)
    found = load_predictor(shipped_bundle("demo"), "cpu").predict(phantom.volume)
    print("| organ | clinical, px | exact, px |")
    print("|---|---|---|")
    sums = np.zeros((2, 2))
    for name, organ in found.organs.items():
        row = np.array([distances_px(organ, profile) for profile in (CLINICAL, EXACT)])
        sums += row
        print(f"| {name} | {row[0, 0] / row[0, 1]:.3f} | {row[1, 0] / row[1, 1]:.3f} |")
    print(f"| all, by length | {sums[0, 0] / sums[0, 1]:.3f} | {sums[1, 0] / sums[1, 1]:.3f} |")


if __name__ == "__main__":
    main()

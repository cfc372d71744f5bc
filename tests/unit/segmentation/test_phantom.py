import functools

import numpy as np
import pytest

from segmentation.errors import SegmentationError
from segmentation.phantom import Phantom, build_phantom
from segmentation.structures import BY_NAME, MIRRORED, ORGANS

SEEDS = (1, 2, 3)
EXPECTED = {  # cm3, and the centroid from the brainstem's in mm LPS: the public data's means, on the left for a pair
    "Brainstem": (27, (0, 0, 0)),
    "Bone_Mandible": (62, (0, -70, -55)),
    "Pituitary": (0.5, (0, -31, 15)),
    "Parotid": (29, (59, -26, -41)),
    "Lens": (0.20, (32, -88, 28)),
    "OpticNrv": (0.73, (22, -56, 25)),
    "Lobe_Temporal": (92, (41, -2, 15)),
}
RELATIVE_VOLUME = 0.55  # a lens is some twenty voxels of this grid
CENTROID_MM = 22.0  # posture moves a lens or the chin by a rotation of several degrees


@functools.cache
def coarse(seed: int) -> Phantom:
    return build_phantom(seed, rows=160, columns=192, pixel_mm=2.0, slice_mm=3.0)


def volume_cm3(phantom: Phantom, organ: str) -> float:
    return float(phantom.masks[organ].sum()) * phantom.volume.grid.voxel_cm3


def centroid_mm(phantom: Phantom, organ: str) -> np.ndarray:
    grid = phantom.volume.grid
    slices, rows, columns = np.argwhere(phantom.masks[organ]).mean(axis=0)
    first, step_mm = grid.origins[0], (grid.column_spacing_mm, grid.row_spacing_mm, grid.slice_spacing_mm)
    return np.asarray(first + np.array([columns, rows, slices]) * step_mm)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("organ", [organ.name for organ in ORGANS if organ.name != "SpinalCord"])
def test_organ_has_the_size_and_place_that_it_has_in_patients(seed: int, organ: str) -> None:
    """Volume and centroid lie near the means of real patients."""
    stem = organ if organ in EXPECTED else organ[:-2]
    volume, place = EXPECTED[stem]
    side = -1 if BY_NAME[organ].laterality == "R" else 1

    from_brainstem = centroid_mm(coarse(seed), organ) - centroid_mm(coarse(seed), "Brainstem")

    assert volume_cm3(coarse(seed), organ) == pytest.approx(volume, rel=RELATIVE_VOLUME)
    assert np.linalg.norm(from_brainstem - np.array(place) * (side, 1, 1)) < CENTROID_MM


@pytest.mark.parametrize("seed", SEEDS)
def test_cord_runs_from_the_brainstem_to_the_lowest_slice(seed: int) -> None:
    """The cord is in every slice below the brainstem, 60 to 120 square millimetres of it."""
    phantom = coarse(seed)
    brainstem = np.flatnonzero(phantom.masks["Brainstem"].any(axis=(1, 2)))

    area_mm2 = phantom.masks["SpinalCord"].sum(axis=(1, 2)) * 4.0

    assert np.all(area_mm2[: brainstem[0] - 1] > 50)
    assert np.all(area_mm2 < 130)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_voxel_belongs_to_two_organs(seed: int) -> None:
    """The masks exclude each other."""
    assert np.stack(list(coarse(seed).masks.values())).sum(axis=0).max() == 1


@pytest.mark.parametrize("organ", [organ.name for organ in ORGANS if organ.laterality == "L"])
def test_left_organ_lies_on_the_left(organ: str) -> None:
    """A left organ has the larger x in patient coordinates."""
    assert centroid_mm(coarse(1), organ)[0] > centroid_mm(coarse(1), MIRRORED[organ])[0] + 20


def test_same_seed_is_the_same_patient() -> None:
    """The phantom is a function of its arguments."""
    first, second = (build_phantom(4, rows=64, columns=64, pixel_mm=5.0, slice_mm=6.0) for _ in range(2))

    assert np.array_equal(first.volume.hu, second.volume.hu)
    assert np.array_equal(first.volume.grid.origins, second.volume.grid.origins)
    assert all(np.array_equal(first.masks[name], second.masks[name]) for name in first.masks)


def test_another_seed_is_another_patient() -> None:
    """Volumes of organs, and not only noise, differ between seeds."""
    volumes = np.array([[volume_cm3(coarse(seed), name) for name in ("Brainstem", "Parotid_L")] for seed in SEEDS])

    assert np.all(volumes.std(axis=0) / volumes.mean(axis=0) > 0.02)


def test_a_patient_is_the_same_on_a_finer_grid() -> None:
    """Volumes and centroids agree between 1 mm and 2 mm pixels."""
    size = {"top_mm": 45.0, "slice_mm": 3.0, "slices": 24}
    fine = build_phantom(2, rows=320, columns=384, pixel_mm=1.0, **size)
    rough = build_phantom(2, rows=160, columns=192, pixel_mm=2.0, **size)
    large = [name for name in fine.masks if volume_cm3(fine, name) > 5]

    assert "Lobe_Temporal_R" in large
    assert {n: volume_cm3(rough, n) for n in large} == pytest.approx({n: volume_cm3(fine, n) for n in large}, rel=0.03)
    assert all(np.linalg.norm(centroid_mm(rough, n) - centroid_mm(fine, n)) < 0.3 for n in large)


@pytest.mark.parametrize("seed", SEEDS)
def test_small_organs_survive_a_rough_grid(seed: int) -> None:
    """At 4 mm pixels and 5 mm slices every organ still has voxels."""
    phantom = build_phantom(seed, rows=96, columns=96, pixel_mm=4.0, slice_mm=5.0)

    assert all(mask.any() for mask in phantom.masks.values())


def test_tissues_have_the_hu_of_tissues() -> None:
    """Bone is bright, brain is soft tissue, the lens is denser than the eye, air is air."""
    hu, masks = coarse(1).volume.hu, coarse(1).masks

    assert np.median(hu[masks["Bone_Mandible"]]) > 400
    assert 20 < np.median(hu[masks["Lobe_Temporal_L"]]) < 60
    assert 50 < np.median(hu[masks["Lens_L"]]) < 140
    assert np.median(hu[:, 0, :]) == pytest.approx(-1000, abs=15)


@pytest.mark.parametrize(("seed", "fillings"), [(2, False), (5, True)])
def test_a_filled_tooth_is_metal_in_some_patients(seed: int, fillings: bool) -> None:
    """A patient with a filling has voxels at the upper end of the scale, another has not."""
    phantom = build_phantom(seed, rows=160, columns=192, pixel_mm=2.0, slice_mm=3.0, slices=20, top_mm=-30.0)

    assert (phantom.volume.hu >= 3000).any() == fillings


def test_noise_has_the_deviation_that_was_asked_for() -> None:
    """The standard deviation in the air above the patient is `noise_hu`, but for what is cut off below -1024 HU."""
    phantom = build_phantom(1, rows=96, columns=96, pixel_mm=4.0, slice_mm=6.0, noise_hu=5.0)

    assert phantom.volume.hu[:, :8].std() == pytest.approx(5.0, rel=0.1)


def test_a_phantom_without_size_is_refused() -> None:
    """Sizes must be positive."""
    with pytest.raises(SegmentationError, match="positive"):
        build_phantom(1, rows=0)

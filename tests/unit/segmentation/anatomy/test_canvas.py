import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation.anatomy.canvas import build_lattice
from segmentation.anatomy.patient import draw_patient

SPACING_MM = (3.0, 2.0, 2.0)


@settings(deadline=None)  # a busy machine is no fault
@given(st.integers(0, 30), st.tuples(*[st.floats(-60, 60)] * 3), st.tuples(*[st.floats(1, 40)] * 3))
def test_no_voxel_of_a_box_is_missed(
    seed: int, middle: tuple[float, float, float], half: tuple[float, float, float]
) -> None:
    """The voxels that the lattice finds hold every voxel whose coordinates lie in the box."""
    axes = [np.arange(-80, 80, spacing, dtype=np.float32) for spacing in SPACING_MM[::-1]]
    coordinates = draw_patient(np.random.default_rng(seed)).to_table(*axes)
    low, high = np.array(middle) - half, np.array(middle) + half
    inside = np.all([(c >= a) & (c <= b) for c, a, b in zip(coordinates, low, high, strict=True)], axis=0)

    found = build_lattice(coordinates, SPACING_MM).find(low, high)

    assert found is not None or not inside.any()
    assert found is None or inside[found].sum() == inside.sum()

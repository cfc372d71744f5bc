"""What the node leaves out to be quick, pixels, slices and digits, loses nothing of the organs."""

import dataclasses
import os
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from adaptation.metrics import dice
from benchmarks.inference.clock import Clock
from benchmarks.inference.flops import flops_of
from benchmarks.inference.whole import box_grid, whole_grid
from segmentation.bundle import shipped_bundle, verify_bundle
from segmentation.network.air import with_air_around
from segmentation.orientation import turn_of
from segmentation.phantom import build_phantom
from segmentation.predict import load_predictor
from segmentation.preprocess import body_box

EQUAL_DICE = 0.995
needs_openvino = pytest.mark.skipif(
    not find_spec("openvino") and os.environ.get("CI") != "true", reason="OpenVINO is not installed; CI must have it"
)


def test_no_organ_of_a_phantom_reaches_out_of_the_box():
    """Every voxel of every organ lies in the body's box, which is less than half of the CT."""
    for seed in range(4):
        phantom = build_phantom(seed, rows=128, columns=128, pixel_mm=4.0, slice_mm=4.0)
        box = body_box(phantom.volume)
        turned = {organ: turn_of(phantom.volume.grid).to_patient(mask) for organ, mask in phantom.masks.items()}

        assert all(mask[box].sum() == mask.sum() for mask in turned.values())
        assert np.prod([part.stop - part.start for part in box]) < phantom.volume.hu.size / 2


def test_whole_grid_is_the_box_grid_prolonged():
    """It covers the CT, and the box's places are among its own, whole cells away."""
    volume = build_phantom(1, rows=100, columns=110, pixel_mm=4.7, slice_mm=5.0).volume
    manifest = load_predictor(shipped_bundle("demo"), "cpu").manifest
    inner, outer = box_grid(volume, manifest), whole_grid(volume, manifest)

    for axis, (some, every) in enumerate(zip(inner.at, outer.at, strict=True)):
        first = int(np.argmin(abs(every - some[0])))
        assert np.allclose(every[first : first + len(some)], some)
        assert axis == 0 or first % manifest.variant.output_stride == 0
        assert len(every) * outer.voxel_mm[axis] >= np.ptp(outer.of[axis]) - manifest.variant.output_stride * 4


def test_operations_are_counted_by_the_pixel():
    """Four times the pixels are four times the operations; 49 multiplications a weight of the stem are among them."""
    manifest = verify_bundle(shipped_bundle("demo"))
    small = flops_of(manifest, 64, 64)

    assert flops_of(manifest, 128, 128) == 4 * small
    assert flops_of(manifest, 57, 60) == small
    assert small > 2 * 49 * 5 * 16 * 64 * 64


def test_laps_add_up_by_stage():
    """A lap that stands for several counts as often."""
    clock = Clock(torch.device("cpu"))
    clock.lap("one", 0)
    assert clock.stages["one"].wall == 0

    clock.lap("one", 1000)
    once = clock.stages["one"]
    clock.lap("one", 0)
    assert clock.stages == {"one": once}
    assert once.wall > 0


@pytest.fixture(scope="module")
def head():
    return build_phantom(20230412, rows=150, columns=150, pixel_mm=3.0, slice_mm=3.0, slices=44)


@pytest.fixture(scope="module", params=["torch", pytest.param("openvino", marks=needs_openvino)])
def quick(request):
    return load_predictor(shipped_bundle("demo"), "cpu", request.param)


@pytest.fixture(scope="module")
def drawn(head):
    """The organs of `demo` on a head in float32: on the body's box with air around it, and on whole slices."""
    plain = load_predictor(shipped_bundle("demo"), "cpu", as_trained=True)
    with pytest.MonkeyPatch.context() as patch:
        boxed = dataclasses.replace(plain, network=with_air_around(plain.network)).predict(head.volume).organs
        grid = whole_grid(head.volume, plain.manifest)
        patch.setattr("segmentation.predict.NetworkGrid.over", lambda *_: grid)
        return {"box": boxed, "whole": plain.predict(head.volume).organs}


@pytest.mark.slow
def test_engines_draw_in_short_numbers_what_float32_draws(head, quick, drawn):
    """Each organ DSC .995 or more, by either engine."""
    found = quick.predict(head.volume).organs
    alike = {organ: dice(mask.full(), found[organ].full()) for organ, mask in drawn["box"].items()}

    assert set(found) == set(drawn["box"])
    assert min(alike.values()) >= EQUAL_DICE, alike


@pytest.mark.slow
def test_box_loses_nothing(drawn):
    """Each organ is drawn as on whole slices, and no organ is lost."""
    alike = {organ: dice(mask.full(), drawn["box"][organ].full()) for organ, mask in drawn["whole"].items()}

    assert set(drawn["box"]) == set(drawn["whole"])
    assert len(alike) >= 8
    assert min(alike.values()) >= EQUAL_DICE, alike

"""G0 of the gate: a candidate's files, before any case is looked at."""

import math
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest

from adaptation.integrity import changed_places, examine_integrity
from segmentation.bundle import WEIGHTS
from segmentation.network.checkpoint import read_tensors, write_bundle
from segmentation.network.places import places_from
from segmentation.volume import Volume
from tests.support.series import small_phantom
from tests.support.small_bundle import SMALL, small_manifest, write_small_bundle

TRAINED = places_from(SMALL, "conv5-b1")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Return a bundle."""
    write_small_bundle(tmp_path / "base")
    return tmp_path / "base"


def candidate_of(base: Path, changed: str, by: float = 0.25) -> Path:
    """Return a candidate that differs from its base in the tensors whose names begin so."""
    weights = {
        name: value + by if name.startswith(changed) and value.is_floating_point() else value
        for name, value in read_tensors(base / WEIGHTS).items()
    }
    write_bundle(base.with_name("candidate"), small_manifest(version="2"), weights)
    return base.with_name("candidate")


def ct() -> Volume:
    """Return a small phantom in place of the golden case."""
    return small_phantom(1, rows=32, columns=32, pixel_mm=12.0, slice_mm=12.0, slices=8, top_mm=60.0).volume


def times(*rounds: float) -> Iterator[float]:
    """Yield the readings of a clock: candidate and model in service in turn take these seconds."""
    now = 0.0
    for seconds in cycle(rounds):
        yield now
        now += seconds
        yield now


def test_a_candidate_whose_tail_alone_was_trained_is_sound(base: Path) -> None:
    """Digests, weights and locked places hold, and the ratio of times is the candidate's over the other's."""
    clock = times(3.0, 2.0)

    found = examine_integrity(
        candidate_of(base, "head."), base, base, trained=TRAINED, device="cpu", volume=ct, clock=lambda: next(clock)
    )

    assert found.faults == ()
    assert found.latency_ratio == pytest.approx(1.5)


@pytest.mark.parametrize(("tensor", "place"), [("trunk.conv2.0.bn1", "conv2-b1"), ("trunk.conv1.bn.", "conv1")])
def test_a_locked_place_that_changed_is_named(base: Path, tensor: str, place: str) -> None:
    """A bit of the locked trunk, statistics included, is a fault."""
    assert changed_places(candidate_of(base, tensor, 2**-8), base, TRAINED) == [
        f"{place}: locked, and not the base's to the bit"
    ]


def test_a_damaged_candidate_is_one_fault_and_no_ratio(base: Path) -> None:
    """What does not verify is not loaded; a ratio that is no number refuses."""
    candidate = candidate_of(base, "head.")
    (candidate / WEIGHTS).write_bytes(b"\0" + (candidate / WEIGHTS).read_bytes()[1:])

    found = examine_integrity(candidate, base, base, trained=TRAINED, device="cpu", volume=ct)

    assert WEIGHTS in found.faults[0]
    assert math.isnan(found.latency_ratio)


def test_another_network_is_a_fault(base: Path, tmp_path: Path) -> None:
    """A candidate is of its base's variant, organs and preprocessing."""
    other = tmp_path / "other"
    write_small_bundle(other, variant=SMALL.model_copy(update={"width": 8}), version="2")

    found = examine_integrity(other, base, base, trained=TRAINED, device="cpu", volume=ct)

    assert "it differs from its base in variant" in found.faults


def test_weights_are_compared_as_they_lie_in_the_file(base: Path) -> None:
    """A candidate with its base's own weights has no changed place."""
    assert changed_places(candidate_of(base, "nothing"), base, frozenset()) == []

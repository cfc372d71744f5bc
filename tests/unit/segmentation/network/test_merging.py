"""Single organs of a better model in the model that is in service."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from segmentation.bundle import WEIGHTS, ExpectedDice, PostProcessing, bundle_digest, read_manifest
from segmentation.errors import BundleError
from segmentation.network.beginning import weights_for
from segmentation.network.checkpoint import load_segmenter, read_tensors, write_bundle
from segmentation.network.merging import merge, shared_tensors
from tests.support.small_bundle import ORGANS, small_manifest, write_small_bundle

CPU = torch.device("cpu")
BRAINSTEM, LEFT, RIGHT = ORGANS


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Return a bundle."""
    write_small_bundle(tmp_path / "base", version="base")
    return tmp_path / "base"


@pytest.fixture
def other(base: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return what makes a bundle of the base's with other weights where a name begins with one of some prefixes."""

    def make(version: str, *prefixes: str, **changes: object) -> Path:
        generator = torch.Generator().manual_seed(len(version))
        weights = {
            name: torch.randn(value.shape, generator=generator) * 0.1
            if name.startswith(prefixes) and value.is_floating_point() and "running" not in name
            else value
            for name, value in read_tensors(base / WEIGHTS).items()
        }
        write_bundle(tmp_path / version, small_manifest(version=version, **changes), weights)
        return tmp_path / version

    return make


def drawn(bundle: Path) -> Tensor:
    """Return what the network of a bundle says of a picture, (organs, rows, columns)."""
    picture = torch.rand((1, 3, 16, 24), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        logits: Tensor = load_segmenter(bundle, CPU)(picture)
    return logits[0]


TAIL = ("trunk.conv5.", "head.")


def test_each_organ_is_drawn_by_its_own_model(base: Path, other: Callable[..., Path], tmp_path: Path) -> None:
    """The organs that went over are the candidate's to the bit, the others the base's."""
    candidate = other("night", *TAIL)
    merge(base, candidate, [LEFT], tmp_path / "merged", version="merged")

    found = drawn(tmp_path / "merged")

    assert torch.equal(found[1], drawn(candidate)[1])
    assert torch.equal(found[[0, 2]], drawn(base)[[0, 2]])
    assert not torch.equal(found[1], drawn(base)[1])


def test_a_third_model_joins_and_a_tail_without_organs_goes(
    base: Path, other: Callable[..., Path], tmp_path: Path
) -> None:
    """An organ that goes over twice is the last candidate's, and nothing of the one between is kept."""
    merge(base, other("night", *TAIL), [LEFT], tmp_path / "once", version="once")
    later = other("later", *TAIL)

    manifest = merge(tmp_path / "once", later, [LEFT, RIGHT], tmp_path / "twice", version="twice")

    assert [tail.organs for tail in manifest.tails] == [(LEFT, RIGHT)]
    assert torch.equal(drawn(tmp_path / "twice")[[1, 2]], drawn(later)[[1, 2]])


def test_two_tails_stand_beside_each_other(base: Path, other: Callable[..., Path], tmp_path: Path) -> None:
    """Organs of three models come from three models."""
    night, later = other("night", *TAIL), other("later", *TAIL)
    merge(base, night, [LEFT], tmp_path / "once", version="once")

    merge(tmp_path / "once", later, [RIGHT], tmp_path / "twice", version="twice")

    found = drawn(tmp_path / "twice")
    assert torch.equal(found[0], drawn(base)[0])
    assert torch.equal(found[1], drawn(night)[1])
    assert torch.equal(found[2], drawn(later)[2])


def test_the_manifest_says_which_organs_came_from_where(base: Path, other: Callable[..., Path], tmp_path: Path) -> None:
    """A physicist reads which model draws an organ, and how its masks are cleaned up."""
    candidate = other("night", *TAIL, postprocessing={LEFT: PostProcessing(threshold=0.4)})

    manifest = merge(base, candidate, [LEFT], tmp_path / "merged", version="merged")

    assert manifest.tails[0].version == "night"
    assert manifest.tails[0].digest == bundle_digest(read_manifest(candidate))
    assert manifest.postprocessing == {LEFT: PostProcessing(threshold=0.4)}


def test_each_organ_has_the_calibration_of_its_own_weights(other: Callable[..., Path], tmp_path: Path) -> None:
    """An organ that goes over leaves the base's behind, also where the candidate has none."""
    line = ExpectedDice(cases=10, score=0.9, dice=0.8, slope=1.0, highest=0.95, error=0.05)
    own = {LEFT: line, "Brainstem": line}
    better = line.model_copy(update={"dice": 0.85})
    ours = other("base", calibration=own)

    merged = merge(ours, other("night", *TAIL, calibration={LEFT: better}), [LEFT], tmp_path / "a", version="a")
    bare = merge(ours, other("late", *TAIL), [LEFT], tmp_path / "b", version="b")

    assert merged.calibration == {LEFT: better, "Brainstem": line}
    assert bare.calibration == {"Brainstem": line}


def test_a_candidate_with_another_trunk_is_refused(base: Path, other: Callable[..., Path], tmp_path: Path) -> None:
    """What is shared must be the same to the bit."""
    with pytest.raises(BundleError, match=r"trunk\.conv4"):
        merge(base, other("night", "trunk.conv4."), [LEFT], tmp_path / "merged", version="merged")


@pytest.mark.parametrize("organs", [[], list(ORGANS), ["Lens_L"]])
def test_some_organs_must_go_and_some_stay(base: Path, organs: list[str], tmp_path: Path) -> None:
    """All, none and unknown organs are refused."""
    with pytest.raises(BundleError, match=r"organ|neither"):
        merge(base, base, organs, tmp_path / "merged", version="merged")


def test_a_model_of_several_is_nothing_to_begin_with(base: Path, other: Callable[..., Path], tmp_path: Path) -> None:
    """A training begins with the base, and says so."""
    merge(base, other("night", *TAIL), [LEFT], tmp_path / "merged", version="merged")

    with pytest.raises(BundleError, match="begin with its base"):
        weights_for(tmp_path / "merged", ORGANS)


def test_a_model_without_further_tails_has_the_digest_that_it_had() -> None:
    """Structure sets and golden cases of an earlier release keep their names."""
    manifest = small_manifest()

    assert bundle_digest(manifest) == "20dcc7e39192fc116cd373d8365c67e152376bc7accb42b9cd2a1c08d0f21238"


def test_shared_tensors_are_conv1_to_conv4(base: Path) -> None:
    """Conv5 and the head are not shared."""
    stages = {name.split(".")[1] for name in shared_tensors(base)}

    assert stages == {"conv1", "conv2", "conv3", "conv4"}

import pytest
import torch
from safetensors.torch import load_file, save_file

from segmentation.bundle import MANIFEST, WEIGHTS, sha256_of
from segmentation.errors import BundleError
from segmentation.network.checkpoint import load_segmenter, load_torchvision_trunk, our_name, read_tensors
from segmentation.network.segmenter import Segmenter
from segmentation.network.variant import Variant
from tests.support.small_bundle import SMALL, write_small_bundle

CPU = torch.device("cpu")


def rewrite(folder, tensors):
    """Replace the weights and make the manifest agree, so that only the tensors are at fault."""
    manifest = write_small_bundle(folder)
    save_file(tensors, folder / WEIGHTS)
    changed = manifest.model_copy(update={"sha256": {WEIGHTS: sha256_of(folder / WEIGHTS)}})
    (folder / MANIFEST).write_text(changed.model_dump_json())


def weights_of(folder):
    write_small_bundle(folder)
    return load_file(folder / WEIGHTS)


def test_weights_come_back_as_they_were_written(tmp_path):
    """What is loaded are the 16-bit weights, as 32-bit numbers, ready to predict."""
    kept = weights_of(tmp_path)

    network = load_segmenter(tmp_path, CPU)

    assert not network.training
    assert all(torch.equal(value, kept[name].to(value.dtype)) for name, value in network.state_dict().items())


def test_weights_without_a_tensor_are_refused(tmp_path):
    """A tensor that is missing is named."""
    tensors = weights_of(tmp_path)
    del tensors["head.classify.bias"]
    rewrite(tmp_path, tensors)

    with pytest.raises(BundleError, match=r"head\.classify\.bias"):
        load_segmenter(tmp_path, CPU)


def test_weights_of_another_shape_are_refused(tmp_path):
    """A tensor of another shape is named."""
    tensors = weights_of(tmp_path)
    tensors["head.classify.bias"] = torch.zeros(7)
    rewrite(tmp_path, tensors)

    with pytest.raises(BundleError, match=r"head\.classify\.bias"):
        load_segmenter(tmp_path, CPU)


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    """A network with a NaN would draw nothing, silently."""
    tensors = weights_of(tmp_path)
    tensors["head.classify.bias"][0] = float("nan")
    rewrite(tmp_path, tensors)

    with pytest.raises(BundleError, match="no number"):
        load_segmenter(tmp_path, CPU)


def test_changed_weights_are_refused(tmp_path):
    """A file with one bit changed is not the file of the manifest."""
    write_small_bundle(tmp_path)
    content = bytearray((tmp_path / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (tmp_path / WEIGHTS).write_bytes(content)

    with pytest.raises(BundleError, match=WEIGHTS):
        load_segmenter(tmp_path, CPU)


def torchvision_names(network):
    """Return a trunk's weights under torchvision's names."""
    names = {}
    for name, value in network.trunk.state_dict().items():
        stage, _, rest = name.partition(".")
        number = int(stage.removeprefix("conv"))
        theirs = rest.replace("conv.", "conv1.").replace("bn.", "bn1.") if number == 1 else f"layer{number - 1}.{rest}"
        names[theirs] = value.clone()
    return names


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_torchvision_weights_fill_the_whole_trunk(tmp_path, suffix):
    """ImageNet weights under torchvision's names reach Conv1 to Conv5; the classifier has no place."""
    variant = Variant(width=4, blocks=(1, 1, 2, 1), multi_grid=(1,))
    source, target = Segmenter(variant, 2), Segmenter(variant, 2)
    theirs = torchvision_names(source) | {"fc.weight": torch.zeros(2, 3)}
    path = tmp_path / f"resnet{suffix}"
    save_file(theirs, path) if suffix == ".safetensors" else torch.save(theirs, path)

    transferred = load_torchvision_trunk(target, path)

    assert transferred.missing == ()
    assert transferred.unused == ("fc.weight",)
    assert all(torch.equal(value, target.trunk.state_dict()[name]) for name, value in source.trunk.state_dict().items())


def test_colours_are_averaged_for_a_stem_with_other_channels(tmp_path):
    """A grey picture in all of our channels gives what a grey picture gave in three colours."""
    source = Segmenter(Variant(width=4, blocks=(1, 1, 1, 1), multi_grid=(1,)), 2)
    target = Segmenter(SMALL.model_copy(update={"in_channels": 5, "head": "paper"}), 2)
    save_file(torchvision_names(source), tmp_path / "resnet.safetensors")

    load_torchvision_trunk(target, tmp_path / "resnet.safetensors")

    ours, theirs = target.trunk.conv1.conv.weight, source.trunk.conv1.conv.weight
    assert torch.allclose(ours.sum(1), theirs.sum(1), atol=1e-6)


def test_pickled_objects_are_not_loaded(tmp_path):
    """A .pth with anything but tensors in it is refused, not run."""
    torch.save({"hook": print}, tmp_path / "evil.pth")

    with pytest.raises(BundleError, match=r"evil\.pth"):
        read_tensors(tmp_path / "evil.pth")


def test_stem_and_stages_are_renamed():
    """Torchvision counts layers from the second stage; the paper counts the stem."""
    assert our_name("layer4.2.conv3.weight") == "conv5.2.conv3.weight"
    assert our_name("conv1.weight") == "conv1.conv.weight"

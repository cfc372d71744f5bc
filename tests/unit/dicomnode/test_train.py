"""The command `train`, from a department's files to a bundle, with a network of a few thousand weights."""

import csv
import json
from dataclasses import replace

import pytest
import torch
from matplotlib.image import imread
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from adaptation.errors import CaseError, TrainingError
from adaptation.learnt_from import read_learnt_from
from dicomnode.cli import app
from dicomnode.commands.train import Request, train
from dicomnode.errors import NodeError
from segmentation.bundle import WEIGHTS, read_manifest, verify_bundle
from segmentation.errors import BundleError
from segmentation.network.beginning import new_segmenter
from segmentation.network.checkpoint import load_segmenter
from segmentation.network.places import place_of
from segmentation.network.trunk import Trunk
from tests.support.cases import write_case
from tests.support.small_bundle import ORGANS, SMALL, write_small_bundle

STEPS = 4


class Interrupted(Exception):
    """As a power cut would."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Five patients; of the fifth only one organ was drawn."""
    place = tmp_path_factory.mktemp("data")
    for number in range(1, 6):
        write_case(place / f"{number}", number, organs=ORGANS if number < 5 else ["Brainstem"])
    return place


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base") / "small"
    write_small_bundle(folder)
    return folder


@pytest.fixture(autouse=True)
def _threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def request(data, base, folder, **changes):
    asked = Request(
        data, folder / "mine", folder / "work", base=base, steps=STEPS, batch=2, unseen_share=0.2, tuning_share=0.2,
        device="cpu", threads=1,
    )  # fmt: skip
    return replace(asked, **changes)


def test_bundle_is_adapted_to_the_cases_of_a_folder(data, base, tmp_path):
    """It verifies, only Conv5 and the pyramid differ from its base, and it says what it reached and learnt from."""
    said = []

    (manifest,) = train(request(data, base, tmp_path), say=said.append)

    made, begun = load_file(tmp_path / "mine" / WEIGHTS), load_file(base / WEIGHTS)
    moved = {place_of(name) for name, value in made.items() if not torch.equal(value, begun[name])}
    assert verify_bundle(tmp_path / "mine") == manifest
    assert moved == {"conv5-b1", "spp"}
    assert manifest.organs == ORGANS
    assert manifest.measured is not None
    assert (manifest.provenance.cases, manifest.provenance.steps) == (3, STEPS)
    assert len(read_learnt_from(tmp_path / "mine")) == 4
    assert "5 cases: Brainstem 5, Parotid_L 4, Parotid_R 4" in said


def test_training_leaves_a_log_and_curves(data, base, tmp_path):
    """JSON lines, a table with every step and every look at the tuning cases, and a picture of both."""
    train(request(data, base, tmp_path, steps=2))

    events = [json.loads(line) for line in (tmp_path / "work" / "log.jsonl").read_text().splitlines()]
    with (tmp_path / "work" / "curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [event["event"] for event in events] == ["start", "tuning cases"]
    assert [row["step"] for row in rows] == ["1", "2"]
    assert float(rows[0]["loss"]) > 0
    assert rows[0]["mean_dsc"] == ""
    assert 0 <= float(rows[1]["mean_dsc"]) <= 1
    assert imread(tmp_path / "work" / "curves.png").std() > 0


def test_training_that_was_cut_off_goes_on_to_the_same_weights(data, base, tmp_path):
    """Whole, or cut off and resumed: the same bundle to the byte, its time aside."""
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    train(request(data, base, whole))

    def cut_off(state, _steps):
        if state.step == STEPS:
            raise Interrupted

    with pytest.raises(Interrupted):
        train(request(data, base, halves), watch=cut_off)
    with pytest.raises(NodeError, match="--resume"):
        train(request(data, base, halves))
    with pytest.raises(TrainingError, match="another training"):
        train(request(data, base, halves, resume=True, seed=2))
    train(request(data, base, halves, resume=True))

    assert (whole / "mine" / WEIGHTS).read_bytes() == (halves / "mine" / WEIGHTS).read_bytes()


def test_nothing_retrained_is_the_base(data, base, tmp_path):
    """`--freeze-through spp` is the model of the source, measured on the site's cases."""
    (manifest,) = train(request(data, base, tmp_path, freeze_through="spp"))

    assert (tmp_path / "mine" / WEIGHTS).read_bytes() == (base / WEIGHTS).read_bytes()
    assert manifest.measured is not None


def test_network_for_each_organ(data, base, tmp_path):
    """A bundle each, of one channel, that begins with the base's channel of that organ; no case without the organ."""
    manifests = train(request(data, base, tmp_path, per_organ=True, steps=1, organs=("Brainstem", "Parotid_R")))

    assert [manifest.organs for manifest in manifests] == [("Brainstem",), ("Parotid_R",)]
    assert [manifest.provenance.cases for manifest in manifests] == [3, 2]
    assert read_manifest(tmp_path / "mine" / "Parotid_R").name == "mine-parotid_r"


def test_channel_of_an_organ_is_taken_from_the_base(base):
    """What the base says of an organ, a network that begins with it says of that organ."""
    device, slices = torch.device("cpu"), torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))

    whole = load_segmenter(base, device)(slices)
    alone = new_segmenter(SMALL, ("Parotid_R",), 7, base).eval()(slices)

    assert torch.allclose(alone, whole[:, ORGANS.index("Parotid_R")][:, None], atol=1e-5)


def test_weights_of_photographs_are_a_beginning_and_those_of_another_depth_are_not(tmp_path):
    """Under torchvision's names; what the trunk needs must all be there."""
    theirs = {
        name.replace("conv1.conv.", "conv1.").replace("conv1.bn.", "bn1."): value
        for name, value in Trunk(SMALL).state_dict().items()
    }
    theirs = {
        f"layer{int(name[4]) - 1}{name[5:]}" if name[:4] == "conv" and name[4] in "2345" else name: value.contiguous()
        for name, value in theirs.items()
    }
    save_file(theirs, tmp_path / "resnet.safetensors")
    begun = new_segmenter(SMALL, ORGANS, 1, tmp_path / "resnet.safetensors")
    assert torch.equal(begun.state_dict()["trunk.conv5.0.conv2.weight"], theirs["layer4.0.conv2.weight"])

    save_file({name: value for name, value in theirs.items() if "layer3" not in name}, tmp_path / "short.safetensors")
    with pytest.raises(BundleError, match="another network"):
        new_segmenter(SMALL, ORGANS, 1, tmp_path / "short.safetensors")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"freeze_through": "conv9"}, NodeError, "conv9 is no place"),
        ({"organs": ("Lens_L",)}, NodeError, "does not know"),
        ({"organs": ("Liver",)}, NodeError, "not one of the organs"),
        ({"unseen_share": 0.5, "tuning_share": 0.5}, CaseError, "no case left"),
    ],
)
def test_what_cannot_be_done_is_said(data, base, tmp_path, *, changes, error, message):
    """Before anything is trained, in the operator's words."""
    with pytest.raises(error, match=message):
        train(request(data, base, tmp_path, **changes))


def test_random_weights_are_those_of_the_seed():
    """And the global generator is left as it was."""
    state = torch.get_rng_state()

    one, other = (new_segmenter(SMALL, ORGANS, 5).state_dict() for _ in range(2))

    assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert torch.equal(state, torch.get_rng_state())


def test_command_line_says_what_it_made_and_then_judges_it(data, base, tmp_path):
    """Standard output is JSON alone, what is told on the way is elsewhere; the model is judged on what it never saw."""
    out, report = tmp_path / "mine", tmp_path / "report"
    options = ["--base", base, "--steps", 1, "--batch", 2, "--threads", 1, "--device", "cpu", "--unseen", 0.4, "--json"]

    trained = invoke("train", "--data", data, "--out", out, *options)
    judged = invoke("evaluate", out, "--data", data, "--against", base, "--out", report, "--device", "cpu", "--json")

    assert [made["name"] for made in json.loads(trained.stdout)] == ["mine"]
    assert "2 never seen" in trained.stderr
    assert json.loads(judged.stdout)["left_out"] == {"learnt from by a model": 3}
    assert (report / "report.html").stat().st_size > 10_000
    assert (tmp_path / "mine-training" / "curves.png").is_file()


@pytest.mark.parametrize("wrong", [("--preset", "better"), ("--network", "huge"), ("--unseen", "2"), ("--steps", "0")])
def test_option_that_does_not_fit_is_a_wrong_command_line(data, tmp_path, wrong):
    """Exit code 2, with the option named."""
    said = invoke("train", "--data", data, "--out", tmp_path / "mine", *wrong)

    assert said.exit_code == 2
    assert wrong[0] in said.stderr


def invoke(*words):
    return CliRunner().invoke(app, [str(word) for word in words])

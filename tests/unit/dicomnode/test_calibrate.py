"""The command `calibrate`: which cases a bundle is calibrated on, and which bundles it leaves alone."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adaptation.learnt_from import write_learnt_from
from dicomnode.cli import app
from dicomnode.commands.calibrate import Kept, calibrate
from dicomnode.errors import NodeError
from segmentation.bundle import PostProcessing, Provenance, read_manifest, verify_bundle
from tests.support.cases import write_case
from tests.support.small_bundle import ORGANS, write_small_bundle

HALF = Kept(unseen=0.0, tuning=0.5)


def trained(command: str) -> Provenance:
    return Provenance(data="none", licence="none", command=command, seed=1, steps=0, cases=0, minutes=0.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six patients."""
    place = tmp_path_factory.mktemp("data")
    for number in range(1, 7):
        write_case(place / f"{number}", number, organs=ORGANS)
    return place


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle that finds something everywhere: random weights are not sure of anything."""
    low = dict.fromkeys(ORGANS, PostProcessing(threshold=0.01))
    made = trained("dicomnode train --data DIR --out DIR")
    write_small_bundle(tmp_path / "mine", provenance=made, postprocessing=low)
    return tmp_path / "mine"


def test_a_bundle_is_calibrated_on_what_its_training_kept_for_choices(bundle: Path, data: Path) -> None:
    """Its weights stay, its manifest says what its scores mean."""
    before = verify_bundle(bundle)

    outcome = CliRunner().invoke(
        app, ["calibrate", str(bundle), "--data", str(data), "--unseen", "0", "--tuning", "0.5", "--json"]
    )

    assert outcome.exit_code == 0, outcome.output
    after = verify_bundle(bundle)
    assert after.model_copy(update={"calibration": {}}) == before
    assert {line.cases for line in after.calibration.values()} == {3}
    assert json.loads(outcome.stdout)["Brainstem"]["cases"] == 3


def test_cases_that_the_training_did_not_have_are_refused(bundle: Path, data: Path) -> None:
    """The shares or the folder are others than then."""
    write_learnt_from(bundle, ["somebody-else"])

    with pytest.raises(NodeError, match="must be those of its training"):
        calibrate(bundle, Kept(data, HALF.unseen, HALF.tuning), device="cpu")
    assert read_manifest(bundle).calibration == {}


@pytest.mark.parametrize("command", ["dicomnode adapt run", "Brainstem of 2 merged into 1"])
def test_a_bundle_whose_kept_cases_nobody_knows_is_refused(tmp_path: Path, data: Path, command: str) -> None:
    """An adapted model is calibrated by its run, a merged one has its parts'."""
    write_small_bundle(tmp_path, provenance=trained(command))

    with pytest.raises(NodeError, match="alone knows"):
        calibrate(tmp_path, Kept(data), device="cpu")


def test_a_version_of_the_registry_is_never_changed(bundle: Path, data: Path) -> None:
    """Its digest is its name."""
    (bundle / "version.json").write_text("{}")

    with pytest.raises(NodeError, match="never changed"):
        calibrate(bundle, Kept(data), device="cpu")

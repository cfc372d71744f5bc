import dataclasses

import numpy as np
import pytest
import torch
from pydicom import Dataset

from segmentation.bundle import PostProcessing
from segmentation.errors import BundleError, NotThisModelError
from segmentation.phantom import build_phantom
from segmentation.predict import load_predictor, refuse_wrong_purpose
from tests.support.small_bundle import ORGANS, small_manifest, write_small_bundle


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    # A threshold of almost nothing: random weights are not sure of anything.
    write_small_bundle(folder, postprocessing=dict.fromkeys(ORGANS, PostProcessing(threshold=0.01)))
    return load_predictor(folder, "cpu")


@pytest.fixture(scope="module")
def volume():
    return build_phantom(4, rows=96, columns=96, pixel_mm=5.0, slice_mm=8.0).volume


def test_organs_lie_on_the_ct_and_are_named(predictor, volume):
    """Every organ of the model is drawn on the CT's grid or said not to be found."""
    contouring = predictor.predict(volume)

    assert set(contouring.organs) | set(contouring.not_found) == set(ORGANS)
    assert all(organ.full().shape == volume.grid.shape for organ in contouring.organs.values())
    assert contouring.model_digest == predictor.digest
    assert set(contouring.seconds) == {"prepare", "network", "draw"}


def test_progress_reaches_the_end(predictor, volume):
    """The share that is done grows to 1."""
    told = []
    predictor.predict(volume, progress=told.append)

    assert told == sorted(told)
    assert told[-1] == 1


@pytest.mark.parametrize("most", [1, 2, 3])
def test_batches_do_not_change_the_result(predictor, monkeypatch, most):
    """A slice or a few at a time, of which the last go back over one, give what all at once give."""
    values = np.random.default_rng(2).random((5, 18, 22)).astype(np.float32)
    at_once = predictor.probabilities(values)
    monkeypatch.setattr("segmentation.predict.CPU_BATCH_PIXELS", most * 20 * 24)

    assert np.allclose(predictor.probabilities(values), at_once, atol=2e-3)


def test_organ_that_is_not_found_is_said(volume, tmp_path):
    """A model that is sure of nothing says so for each organ."""
    write_small_bundle(tmp_path, postprocessing=dict.fromkeys(ORGANS, PostProcessing(threshold=1.0)))

    contouring = load_predictor(tmp_path, "cpu").predict(volume)

    assert contouring.not_found == ORGANS
    assert "Brainstem was not found." in contouring.notes


def test_two_models_have_two_digests(predictor, tmp_path):
    """What names a model in the structure set is its own."""
    write_small_bundle(tmp_path)

    assert load_predictor(tmp_path, "cpu").digest != predictor.digest


def test_folder_without_model_is_refused(tmp_path):
    """There is no predictor without a bundle."""
    with pytest.raises(BundleError):
        load_predictor(tmp_path, "cpu")


def test_model_for_phantoms_refuses_a_patient():
    """A header that is not a phantom's stops the demo's model."""
    header = Dataset()
    header.Manufacturer = "A scanner"

    with pytest.raises(NotThisModelError, match="phantoms"):
        refuse_wrong_purpose(small_manifest(purpose="phantom"), [header])


def test_model_for_patients_may_be_tried_on_anything():
    """A model for patients does not ask."""
    refuse_wrong_purpose(small_manifest(), [Dataset()])


def test_network_is_ready_to_predict_only(predictor):
    """Nothing of it changes when it is used."""
    assert not any(parameter.requires_grad for parameter in predictor.network.parameters())
    assert dataclasses.is_dataclass(predictor)
    assert predictor.device == torch.device("cpu")

import dataclasses
from collections import deque

import pytest
import torch

from adaptation.errors import TrainingError
from adaptation.samples import Batch
from adaptation.train import Training, rate_at, refuse_spike, seen, train
from segmentation.bundle import Preprocessing
from segmentation.network.places import place_of, places, places_from
from segmentation.network.segmenter import Segmenter
from segmentation.preprocess import to_values
from tests.support.small_bundle import SMALL

PREPROCESSING = Preprocessing(pixel_mm=4.0, slice_mm=3.0)
TRAINING = Training(
    steps=6, learning_rate=1e-2, trained=frozenset(places(SMALL)), seed=1, warm_up=1, checkpoint_every=3
)


def batch_of(number):
    generator = torch.Generator().manual_seed(number)
    slices = torch.rand(2, 3, 16, 16, generator=generator) * 400 - 200
    return Batch(slices, (slices[:, 1:2] > 0).float().repeat(1, 2, 1, 1), torch.ones(2, 2))


def fresh():
    torch.manual_seed(0)
    return Segmenter(SMALL, 2)


def test_loss_falls():
    """Bright pixels are soon told from dark ones."""
    losses = []
    training = dataclasses.replace(TRAINING, steps=40)

    train(fresh(), batch_of, PREPROCESSING, training, report=lambda progress, _: losses.append(progress.loss))

    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])


def test_resumed_training_gives_what_an_uninterrupted_one_gives(tmp_path):
    """Stopped after three steps and gone on with, the weights are the same to the bit."""
    whole = train(fresh(), batch_of, PREPROCESSING, TRAINING)

    def stop(progress, _average):
        if progress.step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(fresh(), batch_of, PREPROCESSING, TRAINING, checkpoint=tmp_path / "kept", report=stop)
    resumed = train(fresh(), batch_of, PREPROCESSING, TRAINING, checkpoint=tmp_path / "kept")

    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_only_the_chosen_places_change():
    """With Conv5 and the pyramid trained, no weight and no statistic before them moves."""
    network = fresh()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    training = dataclasses.replace(TRAINING, trained=places_from(SMALL, "conv5-b1"))

    train(network, batch_of, PREPROCESSING, training)

    moved = {place_of(name) for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"conv5-b1", "spp"}


def test_frozen_statistics_stay():
    """In adaptation batch norm keeps the statistics that it came with."""
    network = fresh()
    before = network.get_buffer("trunk.conv1.bn.running_mean").clone()

    train(network, batch_of, PREPROCESSING, dataclasses.replace(TRAINING, frozen_statistics=True))

    assert torch.equal(network.get_buffer("trunk.conv1.bn.running_mean"), before)


def test_loss_that_is_no_number_stops_the_training():
    """The step is named."""
    with pytest.raises(TrainingError, match="step 3"):
        refuse_spike(float("nan"), deque(), 3, 5.0)


def test_loss_that_jumps_stops_the_training():
    """Five times the median of the last fifty is a jump."""
    with pytest.raises(TrainingError, match="jumped"):
        refuse_spike(9.0, deque([1.0] * 50, maxlen=50), 60, 5.0)


def test_learning_rate_rises_and_falls():
    """From a part over the whole to nearly nothing."""
    training = dataclasses.replace(TRAINING, steps=100, warm_up=10)

    assert rate_at(1, training) < rate_at(10, training)
    assert rate_at(100, training) < 0.01 < rate_at(10, training)


def test_tensors_are_seen_as_arrays_are():
    """In training and in prediction HU become the same numbers."""
    hu = torch.linspace(-1500, 3000, 200)

    values = seen(hu, torch.tensor(PREPROCESSING.hu_knots))

    assert torch.allclose(values, torch.from_numpy(to_values(hu.numpy(), PREPROCESSING.hu_knots)), atol=1e-5)

import dataclasses

import pytest
import torch

from adaptation.ahead import one_ahead
from adaptation.errors import TrainingError
from adaptation.losses import Drawn
from adaptation.samples import Batch, seen
from adaptation.train import Checkpoint, train
from adaptation.training import Training, rate_at, refuse_spike
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
    return Batch(slices, Drawn((slices[:, 1:2] > 0).float().repeat(1, 2, 1, 1), torch.ones(2, 2)))


def fresh():
    torch.manual_seed(0)
    return Segmenter(SMALL, 2)


class Interrupted(Exception):
    """As a power cut would."""


def interrupt_after(step):
    def stop(state):
        if state.step == step:
            raise Interrupted

    return stop


def score_of(weights):
    """Return a figure that only depends on the weights and does not grow for ever."""
    return {"Brainstem": float(weights["head.classify.weight"].double().abs().sum().sin().abs())}


def test_loss_falls():
    """Bright pixels are soon told from dark ones."""
    losses = []
    training = dataclasses.replace(TRAINING, steps=40)

    train(fresh(), batch_of, PREPROCESSING, training, report=lambda state: losses.append(state.history.losses[-1]))

    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_resumed_training_gives_what_an_uninterrupted_one_gives(tmp_path, optimiser):
    """Stopped after four steps and gone on with from the third, weights, curves and choice are the same to the bit."""
    training = dataclasses.replace(TRAINING, optimiser=optimiser, tune_every=2, towards_start=1e-2, warm_up=2)
    states = []
    whole = train(fresh(), batch_of, PREPROCESSING, training, tune=score_of, report=states.append)
    kept = Checkpoint(tmp_path / "kept")
    with pytest.raises(Interrupted):
        train(fresh(), batch_of, PREPROCESSING, training, checkpoint=kept, tune=score_of, report=interrupt_after(4))

    resumed = train(fresh(), batch_of, PREPROCESSING, training, checkpoint=kept, tune=score_of, report=states.append)

    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())
    assert states[-1].history == states[0].history
    assert len(states[-1].history.losses) == 6


def test_what_comes_out_lies_on_the_way_from_the_first_weights_to_the_learnt_ones():
    """A quarter of the way is what the tuning cases judge and what comes out; the training itself is the same."""
    first, judged = fresh().state_dict(), []
    locked = dataclasses.replace(TRAINING, trained=places_from(SMALL, "spp"), frozen_statistics=True)
    learnt = train(fresh(), batch_of, PREPROCESSING, locked)

    def judge(weights):
        judged.append(dict(weights))
        return score_of(weights)

    some = dataclasses.replace(locked, blend=0.25, tune_every=6)
    blended = train(fresh(), batch_of, PREPROCESSING, some, tune=judge)

    for name, weight in first.items():
        assert torch.equal(blended[name], judged[-1][name])
        if place_of(name) not in locked.trained or not weight.is_floating_point():
            assert torch.equal(blended[name], learnt[name])
        else:
            assert torch.allclose(blended[name] - weight, (learnt[name] - weight) / 4, atol=1e-6)
    assert not torch.equal(learnt["head.classify.weight"], first["head.classify.weight"])


def test_batches_that_are_drawn_ahead_are_the_same():
    """From whatever step, in whatever order; the next one is drawn before it is asked for."""
    asked = []

    def noted(step):
        asked.append(step)
        return batch_of(step)

    with one_ahead(noted) as ahead:
        given = {step: ahead(step).slices for step in (3, 4, 9)}

    assert all(torch.equal(slices, batch_of(step).slices) for step, slices in given.items())
    assert asked == [3, 4, 5, 9, 10]


def test_checkpoint_of_another_training_is_refused(tmp_path):
    """Other cases or settings would be mixed into one model; the message says what to do."""
    train(fresh(), batch_of, PREPROCESSING, TRAINING, checkpoint=Checkpoint(tmp_path / "kept", "one"))

    with pytest.raises(TrainingError, match="another training"):
        train(fresh(), batch_of, PREPROCESSING, TRAINING, checkpoint=Checkpoint(tmp_path / "kept", "other"))


def test_checkpoint_that_is_damaged_is_refused(tmp_path):
    """Half a file is no beginning."""
    (tmp_path / "kept").write_bytes(b"PK\x03\x04 and no more")

    with pytest.raises(TrainingError, match="cannot be read"):
        train(fresh(), batch_of, PREPROCESSING, TRAINING, checkpoint=Checkpoint(tmp_path / "kept"))


def test_training_stops_when_the_tuning_cases_are_done_no_better():
    """After two looks without a gain it ends, and the weights of the best look come out."""
    scores = iter([0.5, 0.7, 0.6, 0.7, 0.9])
    looked_at = []

    def tune(weights):
        looked_at.append({name: value.clone() for name, value in weights.items()})
        return {"Brainstem": next(scores)}

    training = dataclasses.replace(TRAINING, steps=40, tune_every=1, patience=2)
    result = train(fresh(), batch_of, PREPROCESSING, training, tune=tune)

    assert len(looked_at) == 4
    assert all(torch.equal(value, result[name]) for name, value in looked_at[1].items())


def test_without_an_average_the_weights_themselves_come_out():
    """The paper's preset has none."""
    network = fresh()

    result = train(network, batch_of, PREPROCESSING, dataclasses.replace(TRAINING, average=0.0))

    assert all(torch.equal(value, result[name]) for name, value in network.state_dict().items())


def test_weights_of_the_trunk_are_drawn_to_where_they_began():
    """With a strong pull they end nearer to the beginning than without."""

    def distance(towards_start):
        network, start = fresh(), fresh().state_dict()
        train(network, batch_of, PREPROCESSING, dataclasses.replace(TRAINING, towards_start=towards_start))
        now = network.state_dict()
        return sum((now[name] - start[name]).norm().item() for name in now if name.endswith("conv1.weight"))

    assert distance(50.0) < 0.7 * distance(0.0)


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
        refuse_spike([1.0, 1.0, float("nan")], TRAINING)


def test_loss_that_jumps_stops_the_training():
    """Five times the median of the last fifty is a jump; twice is not."""
    refuse_spike([1.0] * 59 + [2.0], TRAINING)

    with pytest.raises(TrainingError, match=r"jumped to 9\.000 at step 60; it was 1\.000"):
        refuse_spike([1.0] * 59 + [9.0], TRAINING)


def test_single_loss_of_a_small_batch_is_no_jump():
    """Where the mean of ten steps is looked at, one slice that is hard does not stop a training; ten do."""
    training = dataclasses.replace(TRAINING, spike_steps=10)
    refuse_spike([1.0] * 600 + [30.0], training)

    with pytest.raises(TrainingError, match="jumped"):
        refuse_spike([1.0] * 600 + [30.0] * 10, training)


def test_training_that_diverges_is_stopped():
    """A learning rate that is out of all reason ends with a reason, not with a model of NaN."""
    training = dataclasses.replace(TRAINING, steps=200, learning_rate=1e30, optimiser="sgd", max_grad_norm=1e30)

    with pytest.raises(TrainingError, match="step"):
        train(fresh(), batch_of, PREPROCESSING, training)


def test_paper_s_rate_is_poly():
    """Caffe's: .00025 x (1 - iteration / 200,000) ^ .9, iterations counted from 0."""
    training = dataclasses.replace(TRAINING, steps=200_000, schedule="poly", warm_up=0)

    assert rate_at(1, training) == 1.0
    assert rate_at(100_001, training) == pytest.approx(0.5**0.9)


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

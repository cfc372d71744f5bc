from dataclasses import replace

import numpy as np
import pytest
import torch

from adaptation.errors import Paused, TrainingError
from adaptation.feature_batches import FeatureBatch, FeatureSampler, View
from adaptation.features import CacheSettings, FeatureMaker, Source
from adaptation.origins import bounded
from adaptation.recipes import Recipe
from adaptation.samples import Prepared, Sampler, Variation
from adaptation.train import Checkpoint, train
from adaptation.training import Training
from segmentation.bundle import Preprocessing
from segmentation.network.beginning import new_segmenter
from segmentation.network.cut import Locked, Rest, locked_places
from segmentation.network.places import place_of, places, places_after
from segmentation.network.segmenter import Segmenter
from segmentation.network.variant import Variant
from tests.support.small_bundle import ORGANS, SMALL

SETTINGS = CacheSettings(views=2, samples=5)
RECIPE = Recipe(
    name="small",
    version="1",
    purpose="patient",
    organs=ORGANS,
    variant=SMALL,
    preprocessing=Preprocessing(pixel_mm=4.0, slice_mm=3.0),
    variation=Variation(crop=16, slices=4),
    training=Training(
        steps=6, learning_rate=1e-2, trained=places_after(SMALL, "conv4"), seed=1, warm_up=1, precision="float32",
        frozen_statistics=True, towards_start=1e-2,
    ),
    unseen_share=0.0,
    tuning_share=0.0,
    split_seed=1,
    data="",
    licence="",
    citation="",
)  # fmt: skip


def prepared(seed=0, weights=()):
    rng = np.random.default_rng(seed)
    labels = np.zeros((6, 24, 24), dtype=np.uint16)
    labels[2:5, 8:14, 8:14] = 1
    labels[2:5, 3:6, 3:6] = 2
    return Prepared(rng.integers(-200, 200, labels.shape).astype(np.int16), labels, np.ones((6, 3), bool), weights)


@pytest.fixture
def network():
    return new_segmenter(SMALL, ORGANS, 1)


@pytest.fixture
def maker(tmp_path, network):
    return FeatureMaker(tmp_path, network, RECIPE, SETTINGS)


def source(patient="P1", seed=0, weights=()):
    return Source(patient, f"{patient}-{seed}-{weights}", lambda: prepared(seed, weights))


def refused():
    raise AssertionError("the case was loaded though its views are there")


@pytest.mark.parametrize("head", ["paper", "plus"])
@pytest.mark.parametrize("frozen", ["conv1", "conv2", "conv3-b1", "conv4", "conv5"])
def test_both_parts_together_are_the_network(head, frozen):
    """Wherever it is cut, the rest makes of the locked part's features what the whole network says."""
    torch.manual_seed(0)
    variant = Variant(**(SMALL.model_dump() | {"blocks": (2, 1, 1, 1), "head": head}))
    network = Segmenter(variant, 3).eval()
    locked = locked_places(variant, places_after(variant, frozen))
    slices = torch.rand(2, 3, 16, 24)

    deep, fine = Locked(network, locked)(slices)

    assert torch.allclose(Rest(network, locked)(deep, fine, (16, 24)), network(slices), atol=1e-6)
    assert (fine is not None) == (head == "plus" and frozen != "conv1")


def test_view_holds_what_the_locked_part_makes_of_its_samples(maker, network):
    """Samples are those that the training would draw, features are the trunk's, to 16 bits."""
    (path,) = maker.make(source(), [3])
    variation = replace(RECIPE.variation, slices=SETTINGS.samples)
    drawn = Sampler([prepared()], ORGANS, RECIPE.preprocessing.context, variation).batch(RECIPE.training.seed, 3)

    sample = View(path).sample(2)
    knots = torch.tensor(RECIPE.preprocessing.hu_knots)
    deep, fine = Locked(network.eval(), locked_places(SMALL, RECIPE.training.trained))(*drawn.inputs(knots))

    assert torch.allclose(sample["deep"][0].permute(2, 0, 1).float(), deep[2], atol=2e-3, rtol=2e-3)
    assert torch.allclose(sample["fine"][0].permute(2, 0, 1).float(), fine[2], atol=2e-3, rtol=2e-3)
    assert torch.equal(sample["masks"][0].float(), drawn.drawn.masks[2])


def test_view_that_is_there_is_not_made_again(maker):
    """The case is not even loaded."""
    first = maker.make(source(), [0, 1])

    again = maker.make(replace(source(), prepare=refused), [0, 1])

    assert again == first
    with pytest.raises(AssertionError):
        maker.make(replace(source(), prepare=refused), [1, 2])


@pytest.mark.parametrize(
    "change",
    [
        {"preprocessing": Preprocessing(pixel_mm=4.0, slice_mm=2.5)},
        {"variation": Variation(crop=16, slices=4, degrees=5.0)},
        {"organs": ("Brainstem", "Parotid_R", "Parotid_L")},
        {"training": replace(RECIPE.training, trained=places_after(SMALL, "conv3"))},
    ],
)
def test_what_features_depend_on_is_in_their_name(maker, network, tmp_path, change):
    """Another grid, variation, order of organs or cut finds none of the old features."""
    other = FeatureMaker(tmp_path, network, replace(RECIPE, **change), SETTINGS)

    assert other.path_of(source(), 0) != maker.path_of(source(), 0)


def test_other_weights_of_the_trunk_find_no_old_features(maker, tmp_path):
    """A base that was trained anew has features of its own; other weights of the rest change nothing."""
    trunk, rest = new_segmenter(SMALL, ORGANS, 1), new_segmenter(SMALL, ORGANS, 1)
    with torch.no_grad():
        trunk.get_parameter("trunk.conv3.0.bn2.weight").add_(1e-3)
        rest.get_parameter("head.classify.bias").add_(1.0)
    paths = [FeatureMaker(tmp_path, each, RECIPE, SETTINGS).path_of(source(), 0) for each in (trunk, rest)]

    assert paths[0] != maker.path_of(source(), 0) == paths[1]


def test_places_that_are_trained_have_no_features(network, tmp_path):
    """With nothing locked there is nothing to keep."""
    everything = replace(RECIPE, training=replace(RECIPE.training, trained=frozenset(places(SMALL))))

    with pytest.raises(TrainingError, match="locked part"):
        FeatureMaker(tmp_path, network, everything, SETTINGS)


def test_budget_of_the_disk_is_kept(network, tmp_path):
    """Where there is room for one view of each case and a half, there is one; where there is none, none."""
    size = FeatureMaker(tmp_path, network, RECIPE, SETTINGS).make(source(), [0])[0].stat().st_size
    room = {mib: CacheSettings(views=4, samples=5, budget_mib=mib) for mib in (1, 2)}
    cases = int(1.5 * (1 << 20) // size)

    found = {mib: FeatureMaker(tmp_path, network, RECIPE, each) for mib, each in room.items()}

    assert found[1].affordable_views(source(), cases, 0) == 0
    assert found[2].affordable_views(source(), cases, 0) == 1
    assert found[2].affordable_views(source(), 1, 0) == 4


def test_old_views_make_room(maker):
    """What this night does not use is deleted."""
    old, kept = maker.make(source(), [0, 1])

    maker.keep_only([kept])

    assert kept.exists()
    assert not old.exists()


def test_training_on_features_is_that_of_the_rest_on_slices(maker, network):
    """A step on kept features gives the loss and the weights that a step on the slices themselves gives, to 16 bits."""
    (path,) = maker.make(source(), [0])
    variation = replace(RECIPE.variation, slices=SETTINGS.samples)
    slices = Sampler([prepared()], ORGANS, RECIPE.preprocessing.context, variation).batch(RECIPE.training.seed, 0)
    parts = [View(path).sample(index) for index in range(SETTINGS.samples)]
    deep, fine = (torch.cat([part[name] for part in parts]).permute(0, 3, 1, 2) for name in ("deep", "fine"))
    features = FeatureBatch(deep, fine, slices.drawn)
    training = replace(RECIPE.training, steps=1, average=0.0)
    rest = Rest(network, locked_places(SMALL, training.trained))
    losses = []

    def noted(state):
        losses.append(state.history.losses[0])

    cached = train(network, lambda _step: features, RECIPE.preprocessing, training, through=rest, report=noted)
    fresh = new_segmenter(SMALL, ORGANS, 1)
    plain = train(fresh, lambda _step: slices, RECIPE.preprocessing, training, report=noted)

    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert all(torch.allclose(value, plain[name], atol=2e-2) for name, value in cached.items())


def test_locked_part_stays_to_the_bit(maker, network):
    """Training on features moves Conv5 and the pyramid alone."""
    before = {name: value.clone() for name, value in network.state_dict().items()}
    sampler = FeatureSampler([[View(path) for path in maker.make(source(), [0, 1])]], 4)

    result = train(
        network, lambda step: sampler.batch(1, step), RECIPE.preprocessing, RECIPE.training,
        through=Rest(network, locked_places(SMALL, RECIPE.training.trained)),
    )  # fmt: skip

    moved = {place_of(name) for name, value in result.items() if not torch.equal(value, before[name])}
    assert moved == {"conv5-b1", "spp"}


def test_training_that_gives_way_comes_to_the_same(maker, tmp_path):
    """Asked to pause after each step and called again, it ends with the weights of one that was never asked."""
    sampler = FeatureSampler([[View(path) for path in maker.make(source(), [0, 1])]], 4)

    def trained(kept):
        network = new_segmenter(SMALL, ORGANS, 1)
        rest = Rest(network, locked_places(SMALL, RECIPE.training.trained))
        return train(
            network, lambda step: sampler.batch(1, step), RECIPE.preprocessing, RECIPE.training,
            through=rest, checkpoint=kept,
        )  # fmt: skip

    whole = trained(None)
    for _ in range(RECIPE.training.steps - 1):
        with pytest.raises(Paused):
            trained(Checkpoint(tmp_path / "kept", must_pause=lambda: True))
    result = trained(Checkpoint(tmp_path / "kept", must_pause=lambda: True))

    assert all(torch.equal(value, result[name]) for name, value in whole.items())


def test_source_has_its_share_of_a_batch(maker):
    """A quarter of the samples is of the source's cases, where there are any."""
    site = [[View(path) for path in maker.make(source("P1"), [0])]]
    base = [[View(path) for path in maker.make(source("replay", 5, (0.9, 0.9, 0.9)), [0])]]

    batch = FeatureSampler(site, 8, replay=base, untouched_share=0.9).batch(1, 1)

    assert (batch.drawn.was_drawn[:, 0] < 1).tolist() == [False] * 6 + [True] * 2


def test_untouched_contours_are_bounded():
    """Of eight drawn and eight untouched organs a share of a quarter leaves two: the rest is masked."""
    was_drawn = torch.ones(4, 4)
    was_drawn[:2] = 0.25

    kept = bounded(was_drawn, 0.25, np.random.default_rng(1))

    assert int((kept == 0.25).sum()) == 2
    assert int((kept == 1).sum()) == 8
    assert torch.equal(bounded(was_drawn, 0.5, np.random.default_rng(1)), was_drawn)


def test_nothing_but_untouched_contours_teach_nothing():
    """A site where nobody corrects anything does not teach the model its own contours."""
    assert bounded(torch.full((3, 2), 0.25), 0.25, np.random.default_rng(1)).sum() == 0


def test_damaged_features_are_refused(tmp_path):
    """Half a file is no view."""
    (tmp_path / "x.features").write_bytes(b"\x00\x01")

    with pytest.raises(TrainingError, match="cannot be read"):
        View(tmp_path / "x.features")

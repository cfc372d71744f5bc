import pytest
import torch

from adaptation.losses import Drawn, cross_entropy, dice_and_cross_entropy

SURE = 20.0


def masks():
    drawn = torch.zeros(2, 3, 8, 8)
    drawn[:, :, 2:5, 2:5] = 1
    return drawn


def test_right_answer_costs_nothing():
    """Where the network is sure and right, the loss is zero."""
    assert dice_and_cross_entropy((masks() * 2 - 1) * SURE, Drawn(masks(), torch.ones(2, 3))) == pytest.approx(
        0, abs=1e-4
    )


def test_organ_that_nobody_drew_does_not_count():
    """Whatever the network says of it, the loss is that of the others, and its gradient is nothing."""
    logits = ((masks() * 2 - 1) * SURE).index_fill(1, torch.tensor([1]), SURE).requires_grad_()
    was_drawn = torch.tensor([[1.0, 0, 1], [1, 0, 1]])

    loss = dice_and_cross_entropy(logits, Drawn(masks(), was_drawn))
    loss.backward()

    assert loss.item() == pytest.approx(0, abs=1e-4)
    assert torch.all(logits.grad[:, 1] == 0)


def test_organ_absent_from_the_batch_is_learnt_as_absent():
    """Saying that it is there costs; there is no division by nothing."""
    nothing = torch.zeros(1, 1, 4, 4)

    assert dice_and_cross_entropy(nothing + SURE, Drawn(nothing, torch.ones(1, 1))) > 1
    assert dice_and_cross_entropy(nothing - SURE, Drawn(nothing, torch.ones(1, 1))) == pytest.approx(0, abs=1e-4)


def test_nothing_drawn_at_all_is_no_loss():
    """A batch in which nobody drew anything teaches nothing and is a number."""
    assert dice_and_cross_entropy(torch.zeros(1, 2, 4, 4), Drawn(torch.zeros(1, 2, 4, 4), torch.zeros(1, 2))) == 0


def test_small_organ_that_is_missed_is_felt():
    """With weight within the organ, a missed voxel among thousands has a gradient; without, hardly any."""
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 10, 10] = 1

    def pull(foreground):
        logits = torch.full((1, 1, 64, 64), -SURE).requires_grad_()
        dice_and_cross_entropy(logits, Drawn(mask, torch.ones(1, 1)), foreground=foreground).backward()
        return -logits.grad[0, 0, 10, 10].item()

    assert pull(0.05) > 100 * pull(0.0)


def test_what_lies_beyond_the_ct_does_not_count():
    """Whatever the network says where a scaled slice was filled with air, neither loss sees it."""
    inside = torch.ones(2, 1, 8, 8)
    inside[..., 6:] = 0
    drawn = Drawn(masks(), torch.ones(2, 3), inside)
    wrong_outside = torch.where(inside.bool(), masks() * 2 - 1, torch.ones(())) * SURE

    assert cross_entropy(wrong_outside, drawn) == pytest.approx(0, abs=1e-4)
    assert dice_and_cross_entropy(wrong_outside, drawn) == pytest.approx(0, abs=1e-4)
    assert cross_entropy(wrong_outside, Drawn(masks(), torch.ones(2, 3))) > 1


def test_cross_entropy_of_one_channel_is_that_of_a_softmax_of_two():
    """The paper's network of organ and background has the loss of our one logit, their difference."""
    two = torch.randn(2, 2, 8, 8, generator=torch.Generator().manual_seed(3))
    mask = masks()[:, :1]

    softmax = torch.nn.functional.cross_entropy(two, mask[:, 0].long())

    assert cross_entropy(two[:, 1:] - two[:, :1], Drawn(mask, torch.ones(2, 1))).item() == pytest.approx(softmax.item())


def test_what_counts_half_weighs_half():
    """Of two slices that are wrong alike the one with half the weight has half the gradient of the cross-entropy."""
    logits = torch.zeros(2, 1, 4, 4, requires_grad=True)

    cross_entropy(logits, Drawn(torch.ones(2, 1, 4, 4), torch.tensor([[1.0], [0.5]]))).backward()

    assert torch.allclose(logits.grad[1], logits.grad[0] / 2)

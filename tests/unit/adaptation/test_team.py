"""Two processes that torchrun starts, over gloo, learn what one learns."""

import subprocess
import sys

import pytest
import torch

from adaptation.errors import TrainingError
from adaptation.losses import Drawn
from adaptation.samples import Batch
from adaptation.team import Team
from tests.support.rooms import ROOT
from tests.support.shared_training import main


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(tmp_path):
    """The same loss at every step and the same weights, although their shares of a batch are unlike and unequal."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, "-m", "tests.support.shared_training", tmp_path / "two"]
    subprocess.run(command, cwd=ROOT, check=True, timeout=240, capture_output=True)
    main(tmp_path / "one")

    two, one = (torch.load(tmp_path / name, weights_only=True) for name in ("two", "one"))

    assert (two["size"], one["size"]) == (2, 1)
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-5)
    assert two["tuning"][4] == pytest.approx(one["tuning"][4], rel=1e-4)
    assert all(torch.allclose(value, one["weights"][name], atol=1e-4) for name, value in two["weights"].items())


def test_batch_is_parted_without_a_rest():
    """Each slice is one process's."""
    batch = Batch(torch.arange(5.0), Drawn(torch.arange(5.0), torch.arange(5.0), torch.arange(5.0)))

    parts = [Team(rank, 2).part_of(batch) for rank in (0, 1)]

    assert [part.slices.tolist() for part in parts] == [[0, 2, 4], [1, 3]]
    assert all(part.drawn.inside.tolist() == part.slices.tolist() for part in parts)


def test_batch_of_one_cannot_be_shared():
    """As the paper's: the reason is said before anything hangs."""
    batch = Batch(torch.zeros(1, 3, 8, 8), Drawn(torch.zeros(1, 2, 8, 8), torch.ones(1, 2)))

    with pytest.raises(TrainingError, match="1 slices cannot be shared by 2"):
        Team(0, 2).part_of(batch)

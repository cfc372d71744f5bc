"""One process that trains, or several that share each batch as torchrun starts them, and learn the same."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from adaptation.errors import TrainingError
from adaptation.lesson import Lesson

Told = TypeVar("Told")
Learnt = TypeVar("Learnt", bound=Lesson)


@dataclass(frozen=True)
class Team:
    """The processes that train one network.

    Args:
        rank: of this one.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes files and talks."""
        return self.rank == 0

    def part_of(self, batch: Learnt) -> Learnt:
        """Return this process's slices of a batch.

        Raises:
            TrainingError: where there are fewer slices than processes.
        """
        if len(batch) < self.size:
            raise TrainingError(f"a batch of {len(batch)} slices cannot be shared by {self.size} processes")
        return batch.every(self.rank, self.size)

    def shared(self, network: nn.Module) -> nn.Module:
        """Return the network with which to compute, so that its gradients are those of the whole batch."""
        if self.size == 1:
            return network
        device = next(network.parameters()).device
        if device.type == "cuda":  # each process sees a part of a batch: its statistics are those of all parts
            whole = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]  # torch's
            return DistributedDataParallel(whole, device_ids=[device])
        return DistributedDataParallel(network)

    def summed(self, sums: Tensor) -> Tensor:
        """Return the sums of all processes, differentiably."""
        return sums if self.size == 1 else _sum_over_processes(sums)

    def told(self, find: Callable[[], Told]) -> Told:
        """Return what the leading process finds, in every process: what all decide by is then the same to the bit."""
        if self.size == 1:
            return find()
        found: list[Any] = [find() if self.leads else None]
        distributed.broadcast_object_list(found)
        return found[0]  # type: ignore[no-any-return]  # what the leading process put there


ALONE = Team()


@contextmanager
def team_of_torchrun(device: torch.device) -> Iterator[Team]:
    """Yield the team that torchrun has started, which is one process where it has not."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ALONE
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)  # NCCL sends what is told from the current one
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Team(distributed.get_rank(), size)
    finally:
        distributed.destroy_process_group()


def device_of_process(device: torch.device) -> torch.device:
    """Return this process's own device: of several CUDA devices the one with its local rank."""
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if device == torch.device("cuda") else device


class _Sum(torch.autograd.Function):
    """A sum over processes whose gradient is summed too: DDP then takes the mean of what is so many times too large."""

    @staticmethod
    def forward(_context: Any, sums: Tensor) -> Tensor:
        """Return the sum of every process's tensor."""
        total = sums.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> Tensor:
        """Return the sum of every process's gradient."""
        total = gradients[0].contiguous().clone()
        distributed.all_reduce(total)
        return total


def _sum_over_processes(sums: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(sums)  # type: ignore[no-untyped-call]  # torch ships no type of it
    return total

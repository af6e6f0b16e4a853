"""The samples of one of several processes. As `torch.utils.data.distributed`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sized

from kadam import distributed
from kadam.ops.random import randperm
from kadam.recording.generator import Generator
from kadam.utils.data.sampler import Sampler


class DistributedSampler(Sampler[int]):
    """Every n-th sample, beginning with this process's: n processes see each sample once.

    All get equally many: samples are seen twice, or left out with `drop_last`, where their number is no multiple of n.

    Args:
        dataset: what is sampled.
        num_replicas: how many processes there are; by default those of the group.
        rank: this process's number; by default that of the group.
        shuffle: whether each epoch has an order of its own (see `set_epoch`).
        seed: what the orders follow from; the same for all processes.
        drop_last: whether the rest is left out.

    Raises:
        ValueError: there is no process of this rank, or no group of processes tells it.
    """

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        self.dataset = dataset
        self.num_replicas = distributed.get_world_size() if num_replicas is None else num_replicas
        self.rank = distributed.get_rank() if rank is None else rank
        if not 0 <= self.rank < self.num_replicas:
            raise ValueError(
                f"DistributedSampler: rank {self.rank} is none of {self.num_replicas} processes. "
                f"Fix: a rank from 0 to {self.num_replicas - 1}."
            )
        self.epoch = 0
        self.drop_last = drop_last
        share = len(dataset) / self.num_replicas
        self.num_samples = math.floor(share) if drop_last else math.ceil(share)
        self.total_size = self.num_samples * self.num_replicas
        self.shuffle = shuffle
        self.seed = seed

    def __iter__(self) -> Iterator[int]:
        order = list(range(len(self.dataset)))
        if self.shuffle:
            order = randperm(len(order), generator=Generator().manual_seed(self.seed + self.epoch)).tolist()
        rounds = math.ceil(self.total_size / max(len(order), 1))
        return iter((order * rounds)[self.rank : self.total_size : self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the passes that follow."""
        self.epoch = epoch


__all__ = ["DistributedSampler"]

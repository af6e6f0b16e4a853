"""Waiting for processes that have fewer batches: there is one. As `torch.distributed.algorithms.join`."""

from __future__ import annotations

from kadam.absent import kinds

Join, JoinHook, Joinable = kinds(
    "torch.distributed.algorithms", "Join JoinHook Joinable", "train in one process, which waits for no other."
)

__all__ = ["Join", "JoinHook", "Joinable"]

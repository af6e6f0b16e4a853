"""How long processes wait for each other. As `torch.distributed.constants`."""

from __future__ import annotations

from datetime import timedelta

from kadam import missing

default_pg_timeout = timedelta(minutes=30)
default_pg_nccl_timeout = timedelta(minutes=10)

__all__ = ["default_pg_nccl_timeout", "default_pg_timeout"]

missing.install(__name__)

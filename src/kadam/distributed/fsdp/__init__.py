"""Parameters divided among processes: there is one process. As `torch.distributed.fsdp`."""

from __future__ import annotations

from kadam import missing
from kadam.absent import functions, kinds

_MODULE = "torch.distributed.fsdp"
_INSTEAD = "train the module itself, in one process."

(
    BackwardPrefetch, CPUOffload, CPUOffloadPolicy, FSDPModule, FullOptimStateDictConfig, FullStateDictConfig,
    FullyShardedDataParallel, MixedPrecision, MixedPrecisionPolicy, OffloadPolicy, OptimStateKeyType,
    ShardedOptimStateDictConfig, ShardedStateDictConfig, ShardingStrategy, StateDictType,
) = kinds(
    _MODULE,
    "BackwardPrefetch CPUOffload CPUOffloadPolicy FSDPModule FullOptimStateDictConfig FullStateDictConfig "
    "FullyShardedDataParallel MixedPrecision MixedPrecisionPolicy OffloadPolicy OptimStateKeyType "
    "ShardedOptimStateDictConfig ShardedStateDictConfig ShardingStrategy StateDictType",
    _INSTEAD,
)  # fmt: skip
(fully_shard,) = functions(_MODULE, "fully_shard", _INSTEAD)

__all__ = [
    "BackwardPrefetch", "CPUOffload", "CPUOffloadPolicy", "FSDPModule", "FullOptimStateDictConfig",
    "FullStateDictConfig", "FullyShardedDataParallel", "MixedPrecision", "MixedPrecisionPolicy", "OffloadPolicy",
    "OptimStateKeyType", "ShardedOptimStateDictConfig", "ShardedStateDictConfig", "ShardingStrategy", "StateDictType",
    "fully_shard",
]  # fmt: skip

missing.install(__name__)

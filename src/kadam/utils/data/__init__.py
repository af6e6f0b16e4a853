"""`torch.utils.data`: datasets, samplers, collation and loaders.

A pass over a loader: the sampler gives indices (`sampler`), `fetch` turns them into samples (`dataset`) and those into
a batch (`collate`), in this process (`dataloader`) or ahead of time in others (`prefetch`, `workers`, `transfer`).
"""

from kadam.utils.data.collate import collate, default_collate, default_collate_fn_map, default_convert
from kadam.utils.data.dataloader import DataLoader
from kadam.utils.data.dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from kadam.utils.data.distributed import DistributedSampler
from kadam.utils.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from kadam.utils.data.worker_info import WorkerInfo, get_worker_info

__all__ = [
    "BatchSampler", "ChainDataset", "ConcatDataset", "DataLoader", "Dataset", "DistributedSampler", "IterableDataset",
    "RandomSampler", "Sampler", "SequentialSampler", "StackDataset", "Subset", "SubsetRandomSampler", "TensorDataset",
    "WeightedRandomSampler", "WorkerInfo", "collate", "default_collate", "default_collate_fn_map", "default_convert",
    "get_worker_info", "random_split",
]  # fmt: skip

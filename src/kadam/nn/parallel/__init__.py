"""Modules spread over several devices or processes, of which there is one. As `torch.nn.parallel`."""

from kadam import missing
from kadam.nn.modules.parallel import DataParallel, DistributedDataParallel

__all__ = ["DataParallel", "DistributedDataParallel"]

missing.install(__name__)

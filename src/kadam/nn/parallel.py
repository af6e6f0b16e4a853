"""Modules spread over several devices, of which there is one. As `torch.nn.parallel`."""

from kadam import missing
from kadam.nn.modules.parallel import DataParallel

__all__ = ["DataParallel"]

missing.install(__name__)

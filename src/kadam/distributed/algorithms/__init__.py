"""How several processes work together: there is one. As `torch.distributed.algorithms`."""

from kadam import missing
from kadam.distributed.algorithms.join import Join, Joinable, JoinHook

__all__ = ["Join", "JoinHook", "Joinable"]

missing.install(__name__)

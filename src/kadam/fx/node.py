"""As `torch.fx.node`."""

from kadam.fx import Node

__all__ = ["Node"]

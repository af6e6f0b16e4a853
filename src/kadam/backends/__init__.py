"""Switches of PyTorch's backends, so that scripts may set them. None of them changes what Kadam computes."""

from kadam import missing
from kadam.backends import cudnn, mps

__all__ = ["cudnn", "mps"]

missing.install(__name__)

"""Switches of PyTorch's backends, so that scripts may set them. None of them changes what Kadam computes."""

from kadam import missing
from kadam.backends import cuda, cudnn, mkl, mkldnn, mps, openmp

__all__ = ["cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp"]

missing.install(__name__)

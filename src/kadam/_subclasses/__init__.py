"""Tensors without values, which PyTorch's compiler works with: Kadam makes none. As `torch._subclasses`."""

from kadam._subclasses import fake_tensor
from kadam._subclasses.fake_tensor import FakeTensor, FakeTensorMode

__all__ = ["FakeTensor", "FakeTensorMode", "fake_tensor"]

"""The former name of tensors. As `torch.autograd.variable`."""

from kadam.autograd import Variable

__all__ = ["Variable"]

"""Modules called with given parameters, under the former name. As `torch.nn.utils.stateless`."""

from kadam.func.call import functional_call

__all__ = ["functional_call"]

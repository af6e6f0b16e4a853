"""Neural networks: modules, their functions, their initialisation and what is done to their parameters."""

from kadam.nn import functional, init, modules, parameter, utils
from kadam.nn.modules import *  # noqa: F403
from kadam.nn.parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter

__all__ = [
    *modules.__all__, "Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "functional", "init",
    "modules", "parameter", "utils",
]  # fmt: skip

"""Neural networks: modules, their functions, their initialisation and what is done to their parameters."""

from kadam.nn import attention, functional, init, modules, parallel, parameter, utils
from kadam.nn.modules import *  # noqa: F403
from kadam.nn.parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter

__all__ = [
    *modules.__all__, "Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "attention", "functional",
    "init", "modules", "parallel", "parameter", "utils",
]  # fmt: skip

"""Parameters as one vector, and back. As `torch.nn.utils.convert_parameters`."""

from __future__ import annotations

from collections.abc import Iterable

from kadam.errors import OperandError
from kadam.ops.combine import cat
from kadam.tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters, flattened, one after the other."""
    return cat([param.reshape(-1) for param in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Let each parameter see its part of `vec`, in the order of `parameters_to_vector`.

    Raises:
        TypeError: `vec` is no tensor.
    """
    if not isinstance(vec, Tensor):
        raise OperandError(
            f"vector_to_parameters: vec must be a Tensor, not a {type(vec).__name__}. Fix: torch.tensor(vec)."
        )
    start = 0
    for param in parameters:
        end = start + param.numel()
        param.data = vec[start:end].reshape(param.shape).data
        start = end

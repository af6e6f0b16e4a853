"""Kernels of the user's own in CUDA C++, which need a GPU. As `torch.cuda.jiterator` without one."""

from __future__ import annotations

from typing import Any

from kadam.errors import AssertedError


class _JittedFunction:
    """A kernel that cannot be called: there is no GPU."""

    def __init__(self, code_string: str, return_by_ref: bool, num_outputs: int, **kwargs: Any) -> None:
        self.code_string, self.return_by_ref, self.num_outputs = code_string, return_by_ref, num_outputs
        self.kwargs_dict = kwargs

    def __call__(self, *tensors: Any, **kwargs: Any) -> Any:
        raise AssertedError(
            "Jiterator is only supported on CUDA and ROCm GPUs, none are available. Fix: write the function with "
            "tensor operations; Kadam compiles them."
        )


def _create_jit_fn(code_string: str, **kwargs: Any) -> _JittedFunction:
    """A function of one result. As `torch.cuda.jiterator._create_jit_fn`."""
    return _JittedFunction(code_string, return_by_ref=False, num_outputs=1, **kwargs)


def _create_multi_output_jit_fn(code_string: str, num_outputs: int, **kwargs: Any) -> _JittedFunction:
    """A function of several results. As `torch.cuda.jiterator._create_multi_output_jit_fn`."""
    return _JittedFunction(code_string, return_by_ref=num_outputs > 1, num_outputs=num_outputs, **kwargs)

"""Affine and bilinear maps of the last axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kadam.errors import DTypeError, ShapeError
from kadam.ops.promotion import rounded_once, stretched
from kadam.primitives.contract import Dot
from kadam.primitives.elementwise import Add
from kadam.primitives.move import Reshape
from kadam.recording.calls import emit
from kadam.recording.operation import operation
from kadam.shapes import count

if TYPE_CHECKING:
    from kadam.tensor import Tensor

# What PyTorch calls the derivative, by the input's rank (3 for 3 and more), without and with a bias.
_NAMES = {
    1: ("SqueezeBackward4", "ViewBackward0"),
    2: ("MmBackward0", "AddmmBackward0"),
    3: ("UnsafeViewBackward0", "ViewBackward0"),
}
_NAMES_OF_ONE_OUTPUT = {1: "DotBackward0", 2: "MvBackward0", 3: "ViewBackward0"}


@operation
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input @ weight.T + bias. As `torch.nn.functional.linear`.

    Shapes:
        input f32[..., in], weight f32[out, in], bias f32[out] -> f32[..., out]; or weight f32[in] -> f32[...]

    Raises:
        DTypeError: the operands have different types.
        ShapeError: the last axis of the input has not the size that the weight has.
    """
    _check_linear(input, weight, bias)
    result = _product(input, weight) if bias is None else rounded_once(_affine, input, weight, bias)
    rank = min(len(input.shape), 3)
    result._tag = _NAMES[rank][bias is not None] if len(weight.shape) == 2 else _NAMES_OF_ONE_OUTPUT[rank]
    return result


def _product(input: Tensor, weight: Tensor) -> Tensor:
    return emit(Dot((), (), (len(input.shape) - 1,), (len(weight.shape) - 1,)), input, weight)


def _affine(input: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    result = _product(input, weight)
    return emit(Add(), result, stretched(bias, tuple(result.shape)))


def _check_linear(input: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    for one in (weight, bias):
        if one is not None and one.dtype is not input.dtype:
            raise DTypeError(
                f"linear: mat1 and mat2 must have the same dtype, but got {input.dtype} and {one.dtype}. "
                "Fix: convert one of them, for example with .float()."
            )
    if not input.shape or len(weight.shape) not in (1, 2) or (bias is not None and len(weight.shape) == 1):
        raise ShapeError(
            f"linear: cannot multiply {input._spec.type} by weight {weight._spec.type}. Fix: give a weight "
            "[out_features, in_features]."
        )
    if input.shape[-1] != weight.shape[-1]:
        rows, (inputs, wanted) = count(input.shape[:-1]), (input.shape[-1], weight.shape[-1])
        shapes = f"({rows}x{inputs} and {wanted}x{weight.shape[0]})"
        flat = len(input.shape) > 2 and count(input.shape[1:]) == wanted
        fix = "flatten the input first: input.flatten(1)." if flat else f"the layer needs in_features={inputs}."
        raise ShapeError(
            f"linear: mat1 and mat2 shapes cannot be multiplied {shapes}: the input has {inputs} features, "
            f"the weight takes {wanted}. Fix: {fix}"
        )
    if bias is not None and tuple(bias.shape) not in ((weight.shape[0],), (1,), ()):
        raise ShapeError(
            f"linear: the bias {bias._spec.type} does not fit {weight.shape[0]} outputs. Fix: give a bias of shape "
            f"[{weight.shape[0]}], or None."
        )


@operation
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input1 W_k input2 + b_k for each output k. As `torch.nn.functional.bilinear`.

    Shapes:
        input1 f32[..., in1], input2 f32[..., in2], weight f32[out, in1, in2], bias f32[out] -> f32[..., out]

    Raises:
        ShapeError: the batch axes differ, or the last axes have not the sizes that the weight has.
    """
    batch = tuple(input1.shape[:-1])
    if tuple(input2.shape[:-1]) != batch:
        raise ShapeError(
            f"bilinear: input batch dimensions do not match: {input1._spec.type} and {input2._spec.type}. Fix: give "
            "both the same leading axes."
        )
    if (input1.shape[-1], input2.shape[-1]) != tuple(weight.shape[1:]):
        raise ShapeError(
            f"bilinear: {input1._spec.type} and {input2._spec.type} do not fit the weight {weight._spec.type}. Fix: "
            f"the weight must be [out, {input1.shape[-1]}, {input2.shape[-1]}]."
        )
    rows = emit(Reshape((count(batch), input1.shape[-1])), input1)
    columns = emit(Reshape((count(batch), input2.shape[-1])), input2)
    partial = emit(Dot((), (), (1,), (1,)), rows, weight)
    result = emit(Reshape((*batch, weight.shape[0])), emit(Dot((0,), (0,), (2,), (1,)), partial, columns))
    result._tag = "ViewBackward0"
    return result if bias is None else result + bias


__all__ = ["bilinear", "linear"]

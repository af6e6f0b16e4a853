"""Activations of each element."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING

import numpy as np

from kadam.errors import DTypeError, ShapeError
from kadam.ops import pointwise
from kadam.ops.compare import where
from kadam.ops.pointwise import erf, exp, expm1, log1p, sigmoid, tanh
from kadam.ops.promotion import stretched
from kadam.ops.require import ArgumentError, require_floating
from kadam.primitives.move import Reshape
from kadam.recording.calls import emit
from kadam.recording.generator import default_generator
from kadam.recording.in_place import in_place
from kadam.recording.memory import assign
from kadam.recording.operation import operation
from kadam.recording.order import as_operands
from kadam.recording.tensor import from_array, read
from kadam.shapes import axis_of

if TYPE_CHECKING:
    from kadam.tensor import Tensor

_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def softened(input: Tensor) -> tuple[Tensor, Tensor]:
    """In a body: max(0, x) and log(1 + exp(-|x|)), whose sum is log(1 + exp(x)).

    On either side of 0 these are exact formulas of it, so that all derivatives are right, at 0 too.
    """
    positive = input > 0
    return where(positive, input, 0.0), log1p(exp(where(positive, -input, input)))


# ---- Pieces of straight lines


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(0, x). As `torch.nn.functional.relu`."""
    return pointwise.relu_(input) if inplace else pointwise.relu(input)


@operation(grad="LeakyReluBackward0", once=True)
def _leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    require_floating("leaky_relu", input)
    return where(input > 0, input, input * negative_slope)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where x > 0, else negative_slope x. As `torch.nn.functional.leaky_relu`."""
    return leaky_relu_(input, negative_slope) if inplace else _leaky_relu(input, negative_slope)


@operation(grad="PreluKernelBackward0", order=as_operands)
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where x > 0, else w x, with one weight, or one for each channel (axis 1). As `torch.nn.functional.prelu`.

    Raises:
        DTypeError: the two have different types.
        ShapeError: the weight is no vector, or has neither one element nor one for each channel.
    """
    if weight.dtype is not input.dtype:
        raise DTypeError(
            f"prelu: Type promoting not supported. Got {input.dtype} and {weight.dtype}. Fix: weight.to(input.dtype)."
        )
    if len(weight.shape) > 1:
        raise ShapeError(
            f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {len(weight.shape)}. Fix: "
            "weight.flatten()."
        )
    shape = tuple(input.shape)
    size = weight.shape[0] if weight.shape else 1
    if size != 1:
        channels = shape[1] if len(shape) > 1 else 1
        if not shape or size != channels:
            raise ShapeError(
                f"prelu: Mismatch of parameter numbers and input channel size. Found parameter numbers = {size} and "
                f"channel size = {channels}. Fix: nn.PReLU({channels}), or nn.PReLU(1) for one slope for all."
            )
        weight = emit(Reshape((size, *[1] * (len(shape) - 2))), weight)
    elif weight.shape:
        weight = emit(Reshape(()), weight)
    return where(input > 0, input, stretched(weight, shape) * input)


@operation(grad="RreluWithNoiseBackward0")
def _sloped(input: Tensor, slope: Tensor) -> Tensor:
    return input * slope


@operation(grad="RreluWithNoiseBackward0")
def _rrelu_eval(input: Tensor, lower: float, upper: float) -> Tensor:
    return _leaky_relu(input, (lower + upper) / 2)


def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """x where x > 0, else a x; a is drawn from [lower, upper), or outside training their mean.

    As `torch.nn.functional.rrelu`. One number is drawn for each element that is not positive, so the input is read.

    Raises:
        ShapeError: the bounds are not in order.
    """
    if lower > upper:
        raise ShapeError(
            f"rrelu: Lower bound should be less than or equal to the upper bound, got {lower} > {upper}. Fix: exchange "
            "the two bounds."
        )
    if training:
        negative = np.asarray(read(input) <= 0)
        slope = np.ones(negative.shape, input.dtype.numpy)
        slope[negative] = default_generator.uniform((int(negative.sum()),), lower, upper, float)
        result = _sloped(input, from_array(slope))
    else:
        result = _rrelu_eval(input, lower, upper)
    return assign(input, result) if inplace else result


def rrelu_(input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False) -> Tensor:
    """In-place form of `rrelu`."""
    return rrelu(input, lower, upper, training, True)


@operation(grad="HardtanhBackward0")
def _hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    inside = (input > min_val) & (input < max_val)
    bound = where(input < min_val, min_val, where(input > max_val, max_val, input)).to(input.dtype)
    return where(inside, input, bound.detach())  # -0 and nan stay what they are


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x within [min_val, max_val]. As `torch.nn.functional.hardtanh`.

    Raises:
        ArgumentError: the bounds are not in order.
    """
    if min_val > max_val:
        raise ArgumentError("hardtanh: min_val cannot be greater than max_val. Fix: exchange the two bounds.")
    return hardtanh_(input, min_val, max_val) if inplace else _hardtanh(input, min_val, max_val)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(0, x), 6). As `torch.nn.functional.relu6`."""
    return hardtanh_(input, 0.0, 6.0) if inplace else _hardtanh(input, 0.0, 6.0)


@operation(grad="HardsigmoidBackward0", once=True)
def _hardsigmoid(input: Tensor) -> Tensor:
    require_floating("hardsigmoid", input)
    return _hardtanh(input + 3.0, 0.0, 6.0) / 6.0


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """x / 6 + 1 / 2 within [0, 1]. As `torch.nn.functional.hardsigmoid`."""
    return _hardsigmoid_(input) if inplace else _hardsigmoid(input)


@operation(grad="HardswishBackward0", once=True)
def _hardswish(input: Tensor) -> Tensor:
    require_floating("hardswish", input)
    inside = (input > -3.0) & (input < 3.0)
    small = where(inside, input, 0.0)  # an infinite square has no derivative, not even one times 0
    return where(input <= -3.0, 0.0, where(inside, small * (small + 3.0) / 6.0, input))


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x hardsigmoid(x). As `torch.nn.functional.hardswish`.

    Source: Howard et al., "Searching for MobileNetV3", 2019.
    """
    return _hardswish_(input) if inplace else _hardswish(input)


@operation(grad="ThresholdBackward0")
def _threshold(input: Tensor, threshold: float, value: float) -> Tensor:
    return where(input <= threshold, value, input).to(input.dtype)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where x > threshold, else value. As `torch.nn.functional.threshold`."""
    return threshold_(input, threshold, value) if inplace else _threshold(input, threshold, value)


@operation(grad="HardshrinkBackward0")
def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x where |x| > lambd, else 0. As `torch.nn.functional.hardshrink`."""
    require_floating("hardshrink", input)
    small = (input >= -lambd) & (input <= lambd)
    return where(small, 0.0, input)


@operation(grad="SoftshrinkBackward0", once=True)
def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x moved towards 0 by lambd, 0 where |x| <= lambd. As `torch.nn.functional.softshrink`.

    Raises:
        ShapeError: lambd is negative.
    """
    require_floating("softshrink", input)
    if lambd < 0:
        raise ShapeError(
            f"softshrink: lambda must be greater or equal to 0, but found to be {lambd}. Fix: give lambd >= 0, for "
            "example 0.5."
        )
    inner = where(input < -lambd, input + lambd, input * 0.0)
    return where(input > lambd, input - lambd, inner)


# ---- Exponentials


@operation(grad="EluBackward0", once=True)
def _elu(input: Tensor, alpha: float = 1.0, scale: float = 1.0) -> Tensor:
    require_floating("elu", input)
    negative = input <= 0  # nan goes the straight way, and has its derivative
    negative_part = expm1(where(negative, input, 0.0)) * (alpha * scale)
    return where(negative, negative_part, input * scale if scale != 1 else input)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else alpha (exp(x) - 1). As `torch.nn.functional.elu`."""
    return elu_(input, alpha) if inplace else _elu(input, alpha)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """An `elu` scaled so that activations keep mean 0 and variance 1. As `torch.nn.functional.selu`.

    Source: Klambauer et al., "Self-normalizing neural networks", 2017.
    """
    return selu_(input) if inplace else _elu(input, _SELU_ALPHA, _SELU_SCALE)


def selu_(input: Tensor) -> Tensor:
    """In-place form of `selu`."""
    return elu_(input, _SELU_ALPHA, _SELU_SCALE)


@operation(grad="CeluBackward0", once=True)
def _celu(input: Tensor, alpha: float = 1.0) -> Tensor:
    require_floating("celu", input)
    if alpha == 0:
        raise ShapeError("celu: ZeroDivisionError: alpha cannot be 0 for CELU. Fix: give alpha > 0, for example 1.0.")
    negative = input <= 0
    negative_part = expm1(where(negative, input, 0.0) * (1.0 / alpha)) * alpha
    return where(negative, negative_part, input)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else alpha (exp(x / alpha) - 1). As `torch.nn.functional.celu`."""
    return celu_(input, alpha) if inplace else _celu(input, alpha)


@operation(grad="GeluBackward0", once=True)
def gelu(input: Tensor, *, approximate: str = "none") -> Tensor:
    """x Phi(x), Phi being the standard normal distribution function. As `torch.nn.functional.gelu`.

    Args:
        input: x.
        approximate: `none`, or `tanh` for an approximation by a hyperbolic tangent.

    Raises:
        ShapeError: another approximation.

    Source: Hendrycks, Gimpel, "Gaussian error linear units", 2016.
    """
    require_floating("gelu", input)
    if approximate == "none":
        return input * 0.5 * (1.0 + erf(input * math.sqrt(0.5)))
    if approximate == "tanh":
        inner = (input + input * input * input * 0.044715) * math.sqrt(2.0 / math.pi)
        return input * 0.5 * (1.0 + tanh(inner))
    raise ShapeError(
        f"gelu: approximate argument must be either none or tanh, got {approximate}. Fix: approximate='none' or 'tanh'."
    )


@operation(grad="SiluBackward0", once=True)
def _silu(input: Tensor) -> Tensor:
    require_floating("silu", input)
    return input * sigmoid(input)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x sigmoid(x). As `torch.nn.functional.silu`."""
    return _silu_(input) if inplace else _silu(input)


@operation(grad="MishBackward0", once=True)
def _mish(input: Tensor) -> Tensor:
    require_floating("mish", input)
    high, rest = softened(input)
    return input * tanh(high + rest)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x tanh(log(1 + exp(x))). As `torch.nn.functional.mish`.

    Source: Misra, "Mish: a self regularized non-monotonic activation function", 2019.
    """
    return _mish_(input) if inplace else _mish(input)


@operation(grad="SoftplusBackward0", once=True)
def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta x)) / beta, and x where beta x > threshold. As `torch.nn.functional.softplus`."""
    require_floating("softplus", input)
    scaled = input * beta
    high, rest = softened(scaled)
    return where(scaled > threshold, input, (high + rest) / beta)


@operation(grad="LogSigmoidBackward0", once=True)
def logsigmoid(input: Tensor) -> Tensor:
    """log(1 / (1 + exp(-x))). As `torch.nn.functional.logsigmoid`."""
    require_floating("logsigmoid", input)
    high, rest = softened(-input)
    return -(high + rest)


@operation
def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|). As `torch.nn.functional.softsign`."""
    return input / (input.abs() + 1)


@operation
def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x). As `torch.nn.functional.tanhshrink`."""
    return input - tanh(input)


@operation(grad="GluBackward0", once=True, order=as_operands)
def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a sigmoid(b), a and b being the halves of the input along an axis. As `torch.nn.functional.glu`.

    Raises:
        ShapeError: the axis has an odd number of elements, or there is none.

    Source: Dauphin et al., "Language modeling with gated convolutional networks", 2016.
    """
    require_floating("glu", input)
    if not input.shape:
        raise ShapeError(
            "glu: glu does not support scalars because halving size must be even. Fix: unsqueeze() the input and give "
            "an axis of even size."
        )
    axis = axis_of(dim, len(input.shape))
    size = input.shape[axis]
    if size % 2:
        raise ShapeError(
            f"glu: Halving dimension must be even, but dimension {axis} is size {size}. Fix: give an axis of even size "
            "by dim=, or make the layer before it twice as wide."
        )
    kept, gate = input.chunk(2, axis)
    return kept * sigmoid(gate)


def _of_copy(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A function whose derivative may use its operand even after that was overwritten with the result."""

    @wraps(function)
    def called(input: Tensor) -> Tensor:
        return function(input.clone())

    return called


relu_ = pointwise.relu_
leaky_relu_, hardtanh_, threshold_ = in_place(_leaky_relu), in_place(_hardtanh), in_place(_threshold)
elu_, celu_ = in_place(_elu), in_place(_celu)
_hardsigmoid_ = in_place(_hardsigmoid)
_hardswish_, _silu_, _mish_ = in_place(_of_copy(_hardswish)), in_place(_of_copy(_silu)), in_place(_of_copy(_mish))

__all__ = [
    "celu", "celu_", "elu", "elu_", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "hardtanh_",
    "leaky_relu", "leaky_relu_", "logsigmoid", "mish", "prelu", "relu", "relu6", "relu_", "rrelu", "rrelu_", "selu",
    "selu_", "sigmoid", "silu", "softplus", "softshrink", "softsign", "tanh", "tanhshrink", "threshold", "threshold_",
]  # fmt: skip

"""What PyTorch computes where Kadam applies a source, an elementwise primitive, a view, a reduction or a scan."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

Tensors = list[torch.Tensor]
Counterpart = Callable[[Any, Tensors], torch.Tensor]


def _applied(function: Callable[..., torch.Tensor]) -> Counterpart:
    return lambda p, x: function(*x)


def _region(p: Any) -> tuple[slice, ...]:
    return tuple(map(slice, p.starts, p.stops, p.steps))


def _insert(p: Any, x: Tensors) -> torch.Tensor:
    result = x[0].clone()
    result[_region(p)] = x[1]
    return result


def _iota(p: Any, x: Tensors) -> torch.Tensor:
    places = torch.arange(p.shape[p.axis], dtype=getattr(torch, p.dtype.name))
    return places.reshape([-1 if axis == p.axis else 1 for axis in range(len(p.shape))]).expand(p.shape)


def _over_axes(one: Callable[..., torch.Tensor]) -> Counterpart:
    """A PyTorch reduction of a single axis, over all of a primitive's axes."""

    def reduced(p: Any, x: Tensors) -> torch.Tensor:
        result = x[0]
        for axis in reversed(p.axes):
            result = one(result, axis)
        return result.to(x[0].dtype)

    return reduced


def _extreme(of_numbers: Callable[..., torch.Tensor], of_booleans: Callable[..., torch.Tensor]) -> Counterpart:
    def reduced(p: Any, x: Tensors) -> torch.Tensor:
        if not p.axes:
            return x[0]
        return (of_booleans if x[0].dtype == torch.bool else of_numbers)(x[0], p.axes)

    return reduced


def _place(function: Callable[..., torch.Tensor]) -> Counterpart:
    # PyTorch has no argmax of booleans; its bytes are in the same order.
    return lambda p, x: function(x[0].byte() if x[0].dtype == torch.bool else x[0], p.axis)


def _running(function: Callable[..., torch.Tensor]) -> Counterpart:
    def scanned(p: Any, x: Tensors) -> torch.Tensor:
        order = x[0].flip(p.axis) if p.reverse else x[0]
        result = function(order, p.axis, dtype=order.dtype)
        return result.flip(p.axis) if p.reverse else result

    return scanned


def _linear_scan(p: Any, x: Tensors) -> torch.Tensor:
    factors, terms = ([*one.unbind(p.axis)] for one in x)
    order = range(len(terms))[:: -1 if p.reverse else 1]
    state = None
    for i in order:
        state = terms[i] if state is None else factors[i] * state + terms[i]
        terms[i] = state
    return torch.stack(terms, p.axis)


ONE_TO_ONE = {
    "Where": torch.where, "Neg": torch.neg, "Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Div": torch.div,
    "Conj": torch.conj_physical, "Abs": torch.abs, "Sign": torch.sgn, "Copysign": torch.copysign,
    "Reciprocal": torch.reciprocal, "Sqrt": torch.sqrt, "Rsqrt": torch.rsqrt, "Pow": torch.pow, "Exp": torch.exp,
    "Exp2": torch.exp2, "Expm1": torch.expm1, "Log": torch.log, "Log1p": torch.log1p,
    "LibraryLog1p": torch.log1p, "Log2": torch.log2,
    "Log10": torch.log10, "Sigmoid": torch.sigmoid, "Relu": torch.relu, "Sin": torch.sin, "Cos": torch.cos,
    "Tan": torch.tan, "Asin": torch.asin, "Acos": torch.acos, "Atan": torch.atan, "Sinh": torch.sinh,
    "Cosh": torch.cosh, "Tanh": torch.tanh, "Asinh": torch.asinh, "Acosh": torch.acosh, "Atanh": torch.atanh,
    "Atan2": torch.atan2, "Hypot": torch.hypot, "Floor": torch.floor, "Ceil": torch.ceil, "Round": torch.round,
    "Trunc": torch.trunc, "FloorDiv": partial(torch.div, rounding_mode="floor"), "Remainder": torch.remainder,
    "Fmod": torch.fmod,
    "Less": torch.lt, "LessEqual": torch.le, "Greater": torch.gt, "GreaterEqual": torch.ge, "Equal": torch.eq,
    "NotEqual": torch.ne, "IsNan": torch.isnan, "Maximum": torch.maximum, "Minimum": torch.minimum,
    "And": torch.bitwise_and, "Or": torch.bitwise_or, "Xor": torch.bitwise_xor, "Not": torch.bitwise_not,
    "ShiftLeft": torch.bitwise_left_shift, "ShiftRight": torch.bitwise_right_shift, "Erf": torch.erf,
    "Erfc": torch.erfc, "Erfinv": torch.erfinv, "Lgamma": torch.lgamma, "Real": torch.real, "Imag": torch.imag,
    "MakeComplex": torch.complex, "Detach": torch.detach, "Severed": torch.detach, "Underived": torch.detach,
    "XLogY": torch.xlogy, "XLog1pY": torch.special.xlog1py, "Entropy": torch.special.entr, "Logit": torch.logit,
    "Copy": torch.clone,
    "Erfcx": torch.special.erfcx, "NormalQuantile": torch.special.ndtri, "Zeta": torch.special.zeta,
    "AiryAi": torch.special.airy_ai, "NextAfter": torch.nextafter,
}  # fmt: skip

BESSEL = {
    "j0": "bessel_j0", "j1": "bessel_j1", "y0": "bessel_y0", "y1": "bessel_y1", "i0": "i0", "i1": "i1", "i0e": "i0e",
    "i1e": "i1e", "k0": "modified_bessel_k0", "k1": "modified_bessel_k1", "k0e": "scaled_modified_bessel_k0",
    "k1e": "scaled_modified_bessel_k1",
}  # fmt: skip


def _polynomial(p: Any, x: Tensors) -> torch.Tensor:
    family, kind = p.family.split("_")
    found: torch.Tensor = getattr(torch.special, f"{family}_polynomial_{kind}")(*x)
    return found


TABLE: dict[str, Counterpart] = {
    **{name: _applied(function) for name, function in ONE_TO_ONE.items()},
    "Full": lambda p, x: torch.full(p.shape, p.value, dtype=getattr(torch, p.dtype.name)),
    "Iota": _iota,
    "Cast": lambda p, x: (x[0].real if x[0].is_complex() else x[0]).to(getattr(torch, p.dtype.name)),
    "Polygamma": lambda p, x: torch.polygamma(p.order, x[0]) if p.order else torch.digamma(x[0]),
    "Bessel": lambda p, x: getattr(torch.special, BESSEL[p.kind])(x[0]),
    "Polynomial": _polynomial,
    "DrawSlope": lambda p, x: (
        torch._standard_gamma_grad(x[0], x[2]) if p.kind == "gamma" else torch._dirichlet_grad(x[2], x[0], x[0] + x[1])
    ),
    "DrawMotion": lambda p, x: torch.zeros_like(x[2]),
    "Reshape": lambda p, x: x[0].reshape(p.shape),
    "Permute": lambda p, x: x[0].permute(p.axes),
    "Slice": lambda p, x: x[0][_region(p)],
    "Insert": _insert,
    "Broadcast": lambda p, x: x[0].expand(p.shape),
    "Sum": _over_axes(torch.sum),
    "Prod": _over_axes(torch.prod),
    "Max": _extreme(torch.amax, torch.any),
    "Min": _extreme(torch.amin, torch.all),
    "ArgMax": _place(torch.argmax),
    "ArgMin": _place(torch.argmin),
    "CumSum": _running(torch.cumsum),
    "CumProd": _running(torch.cumprod),
    "CumArgMax": lambda p, x: torch.cummax(x[0], p.axis).indices,
    "CumArgMin": lambda p, x: torch.cummin(x[0], p.axis).indices,
    "LinearScan": _linear_scan,
    "Within": lambda p, x: x[0].clone(),
}

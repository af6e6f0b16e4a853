"""Derivatives held against finite differences: `gradcheck`, `gradgradcheck`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kadam.errors import KadamError
from kadam.recording import backprop
from kadam.recording.generator import default_generator
from kadam.recording.modes import no_grad
from kadam.recording.tensor import Recorded, from_array, overwrite, read


class GradcheckError(KadamError, RuntimeError):
    """A derivative disagrees with finite differences."""


def _outputs(function: Callable[..., Any], inputs: Sequence[Any]) -> list[Any]:
    found = function(*inputs)
    parts = [found] if isinstance(found, Recorded) else list(found)
    return [one for one in parts if isinstance(one, Recorded) and one._spec.dtype.is_floating_point]


def _numerical(
    function: Callable[..., Any], inputs: Sequence[Any], target: Any, eps: float
) -> list[np.ndarray[Any, Any]]:
    """The Jacobian of each output with respect to `target` by central differences: [target, output] elements."""
    start = read(target).copy()
    columns: list[list[np.ndarray[Any, Any]]] = []
    for index in np.ndindex(start.shape):
        ends = []
        for step in (eps, -eps):
            moved = start.copy()
            moved[index] += step
            with no_grad():
                overwrite(target, moved)
            ends.append([read(one).copy().reshape(-1) for one in _outputs(function, inputs)])
        columns.append([(high - low) / (2 * eps) for high, low in zip(*ends, strict=True)])
    with no_grad():
        overwrite(target, start)
    outputs = len(columns[0]) if columns else 0
    return [np.stack([column[place] for column in columns]) for place in range(outputs)]


def _analytical(outputs: Sequence[Any], place: int, target: Any) -> np.ndarray[Any, Any]:
    output = outputs[place]
    size = output._spec.type.elements
    jacobian = np.zeros((target._spec.type.elements, size), read(target).dtype)
    if not output._spec.requires_grad:
        return jacobian
    for index in range(size):
        seed = np.zeros(size, read(output).dtype)
        seed[index] = 1
        ct = from_array(seed.reshape(output._spec.shape))
        (found,) = backprop.gradients([output], [ct], [target], retain=True, create_graph=False)
        if found is not None:
            jacobian[:, index] = read(found).reshape(-1)
    return jacobian


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    fast_mode: bool = False,
    masked: bool | None = None,
    **options: Any,
) -> bool:
    """Whether the gradients of `func` agree with finite differences. As `torch.autograd.gradcheck`.

    Raises:
        GradcheckError: they do not (unless `raise_exception` is off).
    """
    given = [inputs] if isinstance(inputs, Recorded) else list(inputs)
    targets = [one for one in given if isinstance(one, Recorded) and one._spec.requires_grad]
    if not targets:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of the them have "
            "requires_grad=True. Fix: make one with requires_grad=True, in float64."
        )
    for which, target in enumerate(targets):
        numerical = _numerical(func, given, target, eps)
        outputs = _outputs(func, given)
        for place in range(len(outputs)):
            analytical = _analytical(outputs, place, target)
            if not np.allclose(analytical, numerical[place], rtol, atol):
                if not raise_exception:
                    return False
                worst = np.abs(analytical - numerical[place]).max()
                raise GradcheckError(
                    f"Jacobian mismatch for output {place} with respect to input {which}, largest difference "
                    f"{worst:.3g},\n"
                    f"numerical:{numerical[place]}\nanalytical:{analytical}\n"
                    "Fix: compare backward() with the derivative of forward(); check float64 inputs, away from kinks."
                )
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    **options: Any,
) -> bool:
    """Whether the second derivatives of `func` agree with finite differences. As `torch.autograd.gradgradcheck`.

    Raises:
        GradcheckError: they do not (unless `raise_exception` is off).
    """
    given = [inputs] if isinstance(inputs, Recorded) else list(inputs)
    outputs = _outputs(func, given)
    seeds: list[Any]
    if grad_outputs is None:
        seeds = [
            from_array(default_generator.uniform(one._spec.shape, -1, 1, one._spec.dtype.numpy), True)
            for one in outputs
        ]
    else:
        seeds = [grad_outputs] if isinstance(grad_outputs, Recorded) else list(grad_outputs)
    places = [place for place, one in enumerate(given) if isinstance(one, Recorded) and one._spec.requires_grad]

    def first(*arguments: Any) -> tuple[Any, ...]:
        values, cts = arguments[: len(given)], arguments[len(given) :]
        roots = _outputs(func, values)
        wanted = [values[place] for place in places]
        found = backprop.gradients(roots, list(cts), wanted, retain=True, create_graph=True)
        return tuple(one for one in found if one is not None)

    return gradcheck(first, (*given, *seeds), eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception)

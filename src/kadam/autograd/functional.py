"""Derivatives of functions: Jacobians, Hessians and their products. As `torch.autograd.functional`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kadam.errors import OperandError
from kadam.recording import backprop
from kadam.recording.modes import enable_grad
from kadam.recording.tensor import Recorded


def _tuple(value: Any) -> tuple[tuple[Any, ...], bool]:
    """A tensor or a tuple of them as a tuple, and whether it was one."""
    return ((value,), False) if isinstance(value, Recorded) else (tuple(value), True)


def _fresh(inputs: Sequence[Any], create_graph: bool) -> list[Any]:
    """The inputs as tensors whose gradients can be taken."""
    if create_graph:
        return [one if one.requires_grad else one.detach().clone().requires_grad_() for one in inputs]
    return [one.detach().clone().requires_grad_() for one in inputs]


def _call(func: Callable[..., Any], inputs: Sequence[Any]) -> tuple[tuple[Any, ...], bool]:
    found = func(*inputs)
    outputs, several = _tuple(found)
    for one in outputs:
        if not isinstance(one, Recorded):
            raise OperandError(
                f"autograd.functional: the function must return tensors, not {type(one).__name__}. Fix: return a "
                "tensor or a tuple of tensors, for example without .item()."
            )
    return outputs, several


def _gradients(output: Any, ct: Any, inputs: Sequence[Any], create_graph: bool) -> list[Any]:
    if not output.requires_grad:
        return [one.new_zeros(one.shape) for one in inputs]
    found = backprop.gradients([output], [ct], inputs, True, create_graph)
    return [one.new_zeros(one.shape) if ct is None else ct for one, ct in zip(inputs, found, strict=True)]


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The derivative of each output element by each input element: output.shape + input.shape. As PyTorch's."""
    from kadam.ops.combine import stack

    given, several_in = _tuple(inputs)
    with enable_grad():
        values = _fresh(given, create_graph)
        outputs, several_out = _call(func, values)
        rows = []
        for output in outputs:
            flat = output.reshape(-1)
            found = [_gradients(flat[index], None, values, create_graph) for index in range(flat.numel())]
            rows.append(
                tuple(
                    stack([row[place] for row in found]).reshape((*output.shape, *value.shape))
                    if found
                    else value.new_zeros((*output.shape, *value.shape))
                    for place, value in enumerate(values)
                )
            )
    found_rows: Any = [row if several_in else row[0] for row in rows]
    return tuple(found_rows) if several_out else found_rows[0]


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The second derivatives of a scalar function. As PyTorch's."""
    given, several = _tuple(inputs)

    def slope(*values: Any) -> Any:
        (output,), _ = _call(func, values)
        return tuple(_gradients(output.reshape(()), None, values, True))

    found = jacobian(slope, given, create_graph)
    return found if several else found[0][0]


def vjp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The outputs, and the product of `v` and the Jacobian. As PyTorch's."""
    given, several_in = _tuple(inputs)
    with enable_grad():
        values = _fresh(given, create_graph)
        outputs, several_out = _call(func, values)
        cts = [None] * len(outputs) if v is None else list(_tuple(v)[0])
        totals: list[Any] = [None] * len(values)
        for output, ct in zip(outputs, cts, strict=True):
            for place, part in enumerate(_gradients(output, ct, values, create_graph)):
                totals[place] = part if totals[place] is None else totals[place] + part
    kept = outputs if create_graph else tuple(one.detach() for one in outputs)
    return (kept if several_out else kept[0]), (tuple(totals) if several_in else totals[0])


def jvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The outputs, and the product of the Jacobian and `v` (by differentiating the vjp). As PyTorch's."""
    given, _ = _tuple(inputs)
    with enable_grad():
        values = _fresh(given, create_graph)
        outputs, several_out = _call(func, values)
        directions = [one.new_ones(one.shape) for one in values] if v is None else list(_tuple(v)[0])
        results = []
        for output in outputs:
            seed = output.detach().new_zeros(output.shape).requires_grad_()
            slopes = _gradients(output, seed, values, True)
            total = sum((slope * along).sum() for slope, along in zip(slopes, directions, strict=True))
            results.append(_gradients(total, None, [seed], create_graph)[0])
    kept = outputs if create_graph else tuple(one.detach() for one in outputs)
    return (kept if several_out else kept[0]), (tuple(results) if several_out else results[0])


def vhp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The output of a scalar function, and the product of `v` and its Hessian. As PyTorch's."""
    given, several = _tuple(inputs)
    with enable_grad():
        values = _fresh(given, create_graph)
        (output,), _ = _call(func, values)
        slopes = _gradients(output, None, values, True)
        directions = [one.new_ones(one.shape) for one in values] if v is None else list(_tuple(v)[0])
        total = sum((slope * along).sum() for slope, along in zip(slopes, directions, strict=True))
        found = _gradients(total, None, values, create_graph)
    return (output if create_graph else output.detach()), (tuple(found) if several else found[0])


hvp = vhp

"""Derivatives of functions, which may be taken again: `grad(grad(f))`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any

from kadam.func.tree import mapped, tensors, with_tensors
from kadam.ops.combine import stack
from kadam.ops.require import ArgumentError
from kadam.recording import backprop
from kadam.recording.inference import transforming
from kadam.recording.modes import inference_mode, is_grad_enabled
from kadam.recording.roots import leaves_behind
from kadam.recording.tensor import Recorded, detached

Function = Callable[..., Any]
ArgNums = int | tuple[int, ...]


class _Depth(threading.local):
    """How many derivatives are being taken, one within the other, and the leaves that were made for them."""

    level = 0

    def __init__(self) -> None:
        self.leaves: list[Recorded] = []


_depth = _Depth()


@contextmanager
def inside() -> Iterator[list[Recorded]]:
    """One level deeper: derivatives taken here may be differentiated by the levels around it.

    Yields the leaves that were made at all levels.
    """
    if not _depth.level:
        _depth.leaves = []
    _depth.level += 1
    try:
        with inference_mode(False), transforming():
            yield _depth.leaves
    finally:
        _depth.level -= 1


def _leaf(value: Any) -> Any:
    """A leaf of the same value, for the derivatives that are being taken."""
    leaf = value.detach()
    leaf._spec = leaf._spec.made_in(False)
    leaf.requires_grad_()
    if _depth.level:
        _depth.leaves.append(leaf)
    return leaf


def _watched(tree: Any) -> Any:
    """The tensors of a nest as others of the same values, by which gradients can be taken."""

    def of(leaf: Any) -> Any:
        if not isinstance(leaf, Recorded):
            return leaf
        if leaf._spec.requires_grad:
            return leaf.view_as(leaf)  # type: ignore[attr-defined]
        return _leaf(leaf)

    return mapped(of, tree)


def settled(tree: Any, own: Sequence[Recorded]) -> Any:
    """Results for the outside: at the outermost level, what depends on no leaf but our own has no graph."""
    if _depth.level:
        return tree
    made_here = set(map(id, own))

    def of(leaf: Any) -> Any:
        if not isinstance(leaf, Recorded) or not leaf._spec.requires_grad:
            return leaf
        outer = is_grad_enabled() and any(id(one) not in made_here for one in leaves_behind([leaf]))
        return leaf if outer else detached(leaf)

    return mapped(of, tree)


def _gradients(output: Any, ct: Any, inputs: Sequence[Any]) -> list[Any]:
    if not output.requires_grad:
        return [one.new_zeros(tuple(one.shape)) for one in inputs]
    found = backprop.gradients([output], [ct], inputs, True, True)
    return [one.new_zeros(tuple(one.shape)) if ct is None else ct for one, ct in zip(inputs, found, strict=True)]


def _chosen(args: tuple[Any, ...], argnums: ArgNums) -> Any:
    return args[argnums] if isinstance(argnums, int) else tuple(args[index] for index in argnums)


def _with_watched(args: tuple[Any, ...], argnums: ArgNums) -> tuple[tuple[Any, ...], Any]:
    watched = _watched(_chosen(args, argnums))
    new = list(args)
    for index, value in [(argnums, watched)] if isinstance(argnums, int) else zip(argnums, watched, strict=True):
        new[index] = value
    return tuple(new), watched


def grad_and_value(func: Function, argnums: ArgNums = 0, has_aux: bool = False) -> Function:
    """A function that computes the gradient of `func` and its value. As `torch.func.grad_and_value`."""

    @wraps(func)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        with inside() as own:
            arguments, watched = _with_watched(args, argnums)
            result = func(*arguments, **kwargs)
            value, aux = result if has_aux else (result, None)
            if not isinstance(value, Recorded) or value._spec.type.elements != 1 or value._spec.shape:
                got = f"tensor with {len(value._spec.shape)} dims" if isinstance(value, Recorded) else str(type(value))
                raise RuntimeError(
                    f"Expected f(*args) to return a scalar tensor, got {got}. Fix: reduce the result, for example "
                    "f(x).sum(), or use jacrev."
                )
            found = with_tensors(watched, _gradients(value, None, tensors(watched)))
        found, value, aux = settled((found, value, aux), own)
        return found, (value, aux) if has_aux else value

    return derivative


def grad(func: Function, argnums: ArgNums = 0, has_aux: bool = False) -> Function:
    """A function that computes the gradient of `func`. As `torch.func.grad`."""
    both = grad_and_value(func, argnums, has_aux)

    @wraps(func)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        found, value = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return derivative


def vjp(func: Function, *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """The value of `func`, and the function from cotangents of it to those of the arguments. As `torch.func.vjp`."""
    with inside() as own:
        watched = _watched(primals)
        result = func(*watched)
        value, aux = result if has_aux else (result, None)

    def pull_back(*cts: Any, retain_graph: bool = True, create_graph: bool = True) -> Any:
        outputs, given = tensors(value), tensors(cts)
        inputs = tensors(watched)
        with inside():
            terms = [_gradients(output, ct, inputs) for output, ct in zip(outputs, given, strict=True)]
            totals = [sum(parts[1:], parts[0]) for parts in zip(*terms, strict=True)]
        return settled(with_tensors(watched, totals), own)

    value_outside, aux = settled((value, aux), own)
    return (value_outside, pull_back, aux) if has_aux else (value_outside, pull_back)


def jacrev(
    func: Function, argnums: ArgNums = 0, *, has_aux: bool = False, chunk_size: int | None = None, **_: Any
) -> Function:
    """A function that computes all derivatives of all results: output.shape + input.shape. As `torch.func.jacrev`.

    Args:
        func: is differentiated.
        argnums: with respect to which arguments.
        has_aux: whether it returns something beside its value, that is passed on.
        chunk_size: accepted: rows are computed one by one.

    Raises:
        ArgumentError: `chunk_size` is not above zero.
    """
    if chunk_size is not None and chunk_size <= 0:
        raise ArgumentError("jacrev: `chunk_size` should be greater than 0. Fix: leave it out.")

    @wraps(func)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        with inside() as own:
            arguments, watched = _with_watched(args, argnums)
            result = func(*arguments, **kwargs)
            value, aux = result if has_aux else (result, None)
            inputs = tensors(watched)
            found = mapped(lambda output: with_tensors(watched, _rows(output, inputs)), value)
        found, aux = settled((found, aux), own)
        return (found, aux) if has_aux else found

    return derivative


def _rows(output: Any, inputs: Sequence[Any]) -> list[Any]:
    flat = output.reshape(-1)
    rows = [_gradients(flat[index], None, inputs) for index in range(flat.numel())]
    return [
        stack([row[place] for row in rows]).reshape((*output.shape, *one.shape)) for place, one in enumerate(inputs)
    ]


def pushed(output: Any, inputs: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """How `output` changes where the inputs move along the tangents: by differentiating the vjp, which is linear."""
    seed = _leaf(output.detach().new_zeros(tuple(output.shape)))
    slopes = _gradients(output, seed, inputs)
    total = sum((slope * along).sum() for slope, along in zip(slopes, tangents, strict=True))
    return _gradients(total, None, [seed])[0]


def jvp(func: Function, primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> tuple[Any, ...]:
    """The value of `func`, and how it changes where the arguments move along the tangents. As `torch.func.jvp`.

    Raises:
        ValueError: there is not a tangent for each argument.
    """
    value, push, *aux = _linearized(func, primals, has_aux)
    return (value, push(*tangents), *aux)


def linearize(func: Function, *primals: Any) -> tuple[Any, Function]:
    """The value of `func`, and the function from tangents to how it changes along them. As `torch.func.linearize`."""
    value, push = _linearized(func, primals, False)
    return value, push


def _linearized(func: Function, primals: Any, has_aux: bool) -> tuple[Any, ...]:
    if not isinstance(primals, tuple | list) or not tensors(primals):
        raise RuntimeError("jvp: Expected primals to be a tuple of tensors. Fix: jvp(f, (x,), (t,)).")
    with inside() as own:
        watched = _watched(tuple(primals))
        result = func(*watched)
        value, aux = result if has_aux else (result, None)

    def push(*tangents: Any) -> Any:
        along, inputs = tensors(tangents), tensors(watched)
        if [tuple(one.shape) for one in along] != [tuple(one.shape) for one in inputs]:
            raise ValueError(
                "jvp: Expected primals and tangents to have the same python structure and shapes. Fix: give a tangent "
                "of its shape for each primal."
            )
        with inside():
            found = mapped(lambda output: pushed(output, inputs, along), value)
        return settled(found, [*own, *_depth.leaves])

    value_outside, aux = settled((value, aux), own)
    return (value_outside, push, aux) if has_aux else (value_outside, push)


def jacfwd(func: Function, argnums: ArgNums = 0, has_aux: bool = False, *, randomness: str = "error") -> Function:
    """As `jacrev`, whose values are the same: Kadam differentiates backwards."""
    return jacrev(func, argnums, has_aux=has_aux)


def hessian(func: Function, argnums: ArgNums = 0) -> Function:
    """A function that computes the second derivatives. As `torch.func.hessian`."""
    return jacrev(jacrev(func, argnums), argnums)

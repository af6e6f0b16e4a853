"""Gradients by hand: `backward`, `grad`, custom functions, and checks of them. As `torch.autograd`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from kadam import anomaly, missing
from kadam.anomaly import detect_anomaly, set_detect_anomaly
from kadam.autograd import forward_ad, functional, graph
from kadam.autograd.function import Function
from kadam.autograd.function import FunctionCtx as FunctionContext
from kadam.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck
from kadam.autograd.variable import Variable
from kadam.errors import GradientError, NotATensorError, OperandError
from kadam.recording.lineage import GradientEdge, meant
from kadam.recording.modes import enable_grad, inference_mode, keeps_graphs, no_grad, set_grad_enabled
from kadam.recording.tensor import Recorded

if TYPE_CHECKING:
    from kadam.tensor import Tensor

Tensors = Any


def _listed(tensors: Any) -> list[Any]:
    if isinstance(tensors, Recorded | GradientEdge):
        return [meant(tensors)]
    given = map(meant, tensors) if isinstance(tensors, Iterable) else [tensors]
    return [one if isinstance(one, Recorded) else _values_of(one) for one in given]


def _values_of(tensor: Any) -> Tensor:
    """The values of a sparse tensor: gradients flow to these.

    Raises:
        NotATensorError: it is no tensor at all.
    """
    from kadam.sparse.tensor import SparseTensor

    if not isinstance(tensor, SparseTensor):
        raise NotATensorError(
            f"autograd: expected a Tensor or a sequence of Tensors, but got {type(tensor).__name__}. Fix: name the "
            "tensors: grad(loss, [x])."
        )
    return tensor.parts


def _cts(roots: Sequence[Any], given: Any) -> list[Any]:
    if given is None:
        return [None] * len(roots)
    cts = list(given) if isinstance(given, list | tuple) else [given]
    for one in cts:
        if one is not None and not isinstance(one, Recorded):
            raise OperandError(
                f"autograd: gradients can be either Tensors or None, but got {type(one).__name__}. Fix: "
                "torch.ones_like(y)."
            )
    if len(cts) != len(roots):
        raise GradientError(
            f"grad: got {len(roots)} tensors and {len(cts)} gradients. Fix: give one gradient per output, or "
            "grad_outputs=None for scalars."
        )
    return cts


def backward(
    tensors: Tensors,
    grad_tensors: Tensors | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Tensors | None = None,
    inputs: Tensors | None = None,
) -> None:
    """Add the gradients of `tensors` to the `.grad` of the leaves that they depend on. As `torch.autograd.backward`.

    Raises:
        GradientError: a tensor has no gradient, or is no scalar and has no `grad_tensors`.
    """
    roots = _listed(tensors)
    retain = create_graph if retain_graph is None else retain_graph
    given = None if inputs is None else _listed(inputs)
    anomaly.backward(roots, _cts(roots, grad_tensors), retain, create_graph, given)


def grad(
    outputs: Tensors,
    inputs: Tensors,
    grad_outputs: Tensors | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of `outputs` with respect to `inputs`. As `torch.autograd.grad`.

    Raises:
        GradientError: an input was not used (and `allow_unused` is off), or does not require grad.
    """
    if is_grads_batched:
        return _batched(outputs, inputs, grad_outputs, create_graph, allow_unused, materialize_grads)
    one_alone = isinstance(inputs, Recorded | GradientEdge) or not isinstance(inputs, Iterable)
    given = [inputs] if one_alone else list(inputs)
    roots, wanted = _listed(outputs), _listed(given)
    if not roots or not wanted:
        raise GradientError("autograd.grad: grad requires non-empty inputs. Fix: name the tensors: grad(loss, [x]).")
    retain = keeps_graphs() or (create_graph if retain_graph is None else retain_graph)
    found = anomaly.gradients(roots, _cts(roots, grad_outputs), wanted, retain, create_graph)
    for place, ct in enumerate(found):
        if ct is None and materialize_grads:
            found[place] = wanted[place].new_zeros(wanted[place].shape)
        elif ct is None and not allow_unused:
            raise GradientError(
                "autograd.grad: One of the differentiated Tensors appears to not have been used in the graph. Set "
                "allow_unused=True if this is the desired behavior. Fix: allow_unused=True gives None for it; "
                "materialize_grads=True gives zeros."
            )
    pairs = zip(given, found, strict=True)
    return tuple([ct if ct is None or isinstance(one, Recorded | GradientEdge) else one.like(ct) for one, ct in pairs])  # type: ignore[misc]


def _batched(
    outputs: Tensors, inputs: Tensors, cts: Tensors, create_graph: bool, allow_unused: bool | None, fills: bool
) -> tuple[Tensor | None, ...]:
    """The gradients for each of several cotangents, which stand along a first axis; stacked."""
    from kadam.ops.combine import stack

    batches = [list(one.unbind(0)) for one in _listed(cts)]
    rows = [
        grad(outputs, inputs, list(row), True, create_graph, True, allow_unused, False, fills)
        for row in zip(*batches, strict=True)
    ]
    return tuple(None if None in column else stack(column) for column in zip(*rows, strict=True))


__all__ = [
    "Function", "FunctionContext", "GradcheckError", "Variable", "backward", "detect_anomaly", "enable_grad",
    "forward_ad", "functional", "grad", "gradcheck", "gradgradcheck", "graph", "inference_mode", "no_grad",
    "set_detect_anomaly", "set_grad_enabled",
]  # fmt: skip

missing.install(__name__, {"kadam.autograd": "grad_mode profiler"})

"""Gradients of roots, as `torch.autograd` asks for them: added to the leaves, or returned.

Most passes are one sweep through the present recording, from a scalar to leaves; where a recording like this one has
done it before, that is one look-up (`backward_as_before`). All others are a `BackwardPass`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kadam.errors import GradientError, ShapeError
from kadam.hot import hot
from kadam.recording import accumulation, step
from kadam.recording.backward_pass import BackwardPass
from kadam.recording.meta import refuse_backward
from kadam.recording.order import in_order
from kadam.recording.step import Recording, cut, state
from kadam.recording.sweep import sweep_present
from kadam.recording.tensor import Recorded, blank, made
from kadam.recording.trail import TrailNode
from kadam.recording.view import up_to_date


def check_root(root: Recorded, ct: Recorded | None) -> None:
    """Raise where PyTorch refuses to start a backward pass.

    Raises:
        GradientError: the root has no gradient, or is no scalar and was given no cotangent.
        ShapeError: the cotangent has another shape.
    """
    if not up_to_date(root)._spec.requires_grad:
        raise GradientError(
            "element 0 of tensors does not require grad and does not have a grad_fn. Fix: compute it from a tensor "
            "with requires_grad=True, outside torch.no_grad()."
        )
    if root._meta:
        raise refuse_backward()
    if ct is None:
        if root._spec.type.elements != 1:
            raise GradientError(
                "grad can be implicitly created only for scalar outputs; this one is "
                f"{root._spec.type}. Fix: reduce it (loss.mean()) or pass gradient=."
            )
    elif ct._spec.shape != root._spec.shape:
        raise ShapeError(
            f"Mismatch in shape: grad_output[0] has a shape of {ct._spec.shape} and output[0] has a shape of "
            f"{root._spec.shape}. Fix: give a gradient of the output's shape."
        )


def backward(
    roots: Sequence[Recorded],
    cts: Sequence[Recorded | None],
    retain: bool,
    create_graph: bool,
    inputs: Sequence[Recorded] | None = None,
) -> None:
    """Add the gradients of `roots` to the `.grad` of the leaves, or only of `inputs`. As `torch.autograd.backward`."""
    for root, ct in zip(roots, cts, strict=True):
        check_root(root, ct)
    _settle(cts)
    rec, root = state.rec, roots[0]
    usual = rec is not None and len(roots) == 1 and inputs is None and not rec.stops and not rec.displaced
    if rec is not None and usual and root._rec is rec and root._pos >= 0:
        _sweep_once(rec, root._pos, cts[0], retain, create_graph)
        return
    work = BackwardPass(create_graph, retain, inputs)
    work.sweep_from(roots, cts)
    accumulate_found(work, inputs)


def _sweep_once(rec: Recording, start: int, seed: Recorded | None, retain: bool, create_graph: bool) -> None:
    """Sweep from a position in the present recording; mostly that leads to leaves only, and all is done."""
    before, feeds = rec.here, rec.feeds
    reached = sweep_present([seed], (start,), None, (), create_graph, retain)  # type: ignore[list-item]
    if any(place >= 0 or feeds[~place]._spec.grad_name is not None for place in reached):
        work = BackwardPass(create_graph, retain)
        for place, ct in reached.items():
            work.deliver(feeds[~place], ct, fresh=True)
        work.run()
        accumulate_found(work)
        return
    leaves, found = [feeds[~place] for place in reached], list(reached.values())
    _lay_as(leaves, found, rec.here)
    if create_graph:
        for leaf, ct in zip(leaves, found, strict=True):
            accumulation.accumulate(leaf, ct, create_graph)
        accumulation.finish()
        return
    if seed is None and not retain and rec.here.parent is before and not rec.here.apart:
        before.sweeps[start] = rec.here
        rec.here.info = tuple(zip([~place for place in reached], rec.here.specs, strict=True))
    accumulation.accumulate_all(leaves, found)
    accumulation.finish()


def accumulate_found(work: BackwardPass, inputs: Sequence[Recorded] | None = None) -> None:
    """Add what a pass has found to the `.grad` of the leaves, or only of `inputs`."""
    chosen = None if inputs is None else {id(tensor) for tensor in inputs}
    for tensor, ct in list(work.grads.values()):
        if chosen is None or (id(tensor) in chosen and not tensor._retains):  # what retains its gradient has it by now
            accumulation.accumulate(tensor, ct, work.create_graph)
    accumulation.finish()


def _lay_as(leaves: Sequence[Recorded], found: Sequence[Recorded], sweep: TrailNode) -> None:
    """Let gradients lie in memory as their leaves do."""
    if any(leaf._spec.order is not None for leaf in leaves):
        for leaf, ct in zip(leaves, found, strict=True):
            ct._spec = in_order(ct._spec, leaf._spec.order)
        sweep.specs = tuple([ct._spec for ct in found])


@hot
def backward_as_before(root: Recorded) -> bool:
    """`backward` from a scalar at whose place a recording like this one has done it, to leaves only; whether it was so.

    What there is to check was checked then.
    """
    rec = state.rec
    if rec is None or root._rec is not rec or root._base is not None or rec.stops or rec.displaced:
        return False
    node = rec.here.sweeps.get(root._pos)
    if node is None:
        return False
    cls, created, feeds = made.cls, rec.created, rec.feeds
    position = start = len(created)
    waiting = False
    for leaf_at, spec in node.info:
        ct = blank(cls, spec)
        ct._rec = rec
        ct._pos = position
        position += 1
        created.append(ct)
        leaf = feeds[leaf_at]
        if waiting or leaf._grad is not None or leaf._hooks is not None or leaf._after_hooks is not None:
            waiting = True  # what is done with it makes calls of its own, once all gradients are there
        else:
            leaf._grad = ct
    rec.here = node
    if waiting:
        _deliver_rest(node, feeds, created[start:])
    return True


def _deliver_rest(node: TrailNode, feeds: Sequence[Any], cts: Sequence[Any]) -> None:
    leaves = [feeds[leaf_at] for leaf_at, _ in node.info]
    rest = [(leaf, ct) for leaf, ct in zip(leaves, cts, strict=True) if leaf._grad is not ct]
    accumulation.accumulate_all([leaf for leaf, _ in rest], [ct for _, ct in rest])
    accumulation.finish()


def _settle(cts: Sequence[Recorded | None]) -> None:
    """Cut the recording now if the sweep would do so: it has updated what the cotangents see, or is too long.

    A sweep is told where to begin by places in the present recording.
    """
    rec = state.rec
    if rec is None:
        return
    anchored = any(ct is not None and rec.anchor in (ct._rec, ct.root._rec) for ct in cts)
    if anchored or rec.here.depth >= step.LONGEST or state.packing is not None:
        cut(rec)
    if state.packing is not None:
        state.packing.settle()


def gradients(
    roots: Sequence[Recorded],
    cts: Sequence[Recorded | None],
    inputs: Sequence[Recorded],
    retain: bool,
    create_graph: bool,
) -> list[Recorded | None]:
    """The gradients of `roots` with respect to `inputs`; None where a root does not depend on one."""
    for root, ct in zip(roots, cts, strict=True):
        check_root(root, ct)
    _settle(cts)
    for tensor in inputs:
        if not up_to_date(tensor)._spec.requires_grad:
            raise GradientError(
                "autograd.grad: One of the differentiated Tensors does not require grad. Fix: x.requires_grad_() "
                "before it is used."
            )
    work = BackwardPass(create_graph, retain, inputs)
    work.sweep_from(roots, cts)
    return found_for(inputs, work)


def found_for(inputs: Sequence[Recorded], work: BackwardPass) -> list[Recorded | None]:
    """What a pass has found for tensors, after the hooks of those that are leaves."""
    found = [work.grads[id(tensor)][1] if id(tensor) in work.grads else None for tensor in inputs]
    hooked = [
        ct if ct is None or not tensor._spec.is_leaf else accumulation.through_hooks(tensor, ct, work.create_graph)
        for tensor, ct in zip(inputs, found, strict=True)
    ]
    accumulation.finish()
    return hooked

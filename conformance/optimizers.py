"""`optim_db`: optimizers by ten steps with every option, on PyTorch and on Kadam."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import permutations
from typing import Any

import torch
from torch.testing._internal.common_optimizers import (
    OptimizerErrorEnum,
    OptimizerInfo,
    OptimizerInput,
    optim_db,
)

import kadam
from conformance.counterpart import MissingError, Translation, as_torch, function
from conformance.difference import Comparison, Tolerance, tolerance_of
from conformance.operators import attempt
from conformance.verdict import Verdict

KINDS = ("optim", "optim-error")
STEPS = 10
SAMPLES = 3
ENTRIES: dict[str, OptimizerInfo] = {one.name: one for one in optim_db}


def names(kind: str) -> list[str]:
    """The entries that are compared in a kind."""
    return [name for name, one in ENTRIES.items() if kind == "optim" or one.optim_error_inputs_func is not None]


def judge(name: str, kinds: Sequence[str]) -> list[Verdict]:
    """Compare an entry in these kinds."""
    entry = ENTRIES[name]
    verdicts = [Verdict(kind, name) for kind in kinds]
    for verdict in verdicts:
        _judge_errors(entry, verdict) if verdict.kind == "optim-error" else _judge(entry, verdict)
    return verdicts


def _judge(entry: OptimizerInfo, verdict: Verdict) -> None:
    tolerance = tolerance_of(entry.decorators)
    for sample in entry.optim_inputs_func(device="cpu", dtype=torch.float32):
        options = [{**sample.kwargs, **flag} for flag in _implementations(entry)]
        compare = Comparison(tolerance)
        wrong = [found for one in options if (found := _compare(entry, one, compare)) is not None]
        verdict.note(sample.desc, wrong[0] if wrong else None)
        verdict.excused += not wrong and compare.excused > 0


def _implementations(entry: OptimizerInfo) -> list[dict[str, bool]]:
    """PyTorch's ways to compute the same: each must do as the plain one does."""
    return [{}, *({flag: True} for flag in entry.supported_impls if flag != "differentiable")]


def _compare(entry: OptimizerInfo, options: dict[str, Any], compare: Comparison) -> Any:
    """The first difference of a configuration; None if there is none, or if PyTorch refuses it."""
    expected, refused = attempt(lambda: _train(torch, entry.optim_cls, options, entry), torch)
    if refused is not None:
        return None
    try:
        kind, own_options = function(entry.optim_cls), Translation()(options)
    except MissingError as error:
        return error
    actual, error = attempt(lambda: as_torch(_train(kadam, kind, own_options, entry)), kadam)
    if error is not None:
        return error
    found = compare.difference(actual, expected)
    if found is None or not _as_near_as_pytorch(entry, options, compare.tolerance, actual):
        return found
    compare.excused += 1
    return None


def _as_near_as_pytorch(entry: OptimizerInfo, options: dict[str, Any], tolerance: Tolerance, actual: Any) -> bool:
    """Whether no number of Kadam is farther from the exact one than twice the farthest of PyTorch's own.

    PyTorch's own are the same number with the samples in each order. The order means nothing but how sums are rounded,
    which ten steps can make large: LBFGS divides differences of gradients that are almost zero.
    """
    orders = list(permutations(range(SAMPLES)))

    def again(seed: int | None, precise: bool) -> Any:
        precision, order = "float64" if precise else "float32", orders[seed or 0]
        return attempt(lambda: _train(torch, entry.optim_cls, options, entry, precision, order), torch)[0]

    return Comparison(tolerance, again=again, shakes=len(orders)).difference(actual, again(None, False)) is None


def _train(
    m: Any,
    kind: Any,
    options: dict[str, Any],
    entry: OptimizerInfo,
    precision: str = "float32",
    order: Sequence[int] = range(SAMPLES),
) -> Any:
    """Ten steps of a small regression: losses, parameters and the optimizer's state."""
    dtype = getattr(m, precision)
    start = [_numbers(m, shape).to(dtype) for shape in ((6, 4), (6, 1))]
    weight, bias = map(m.nn.Parameter, start)
    input, target = (_numbers(m, (rows, SAMPLES)).to(dtype)[:, list(order)] for rows in (4, 6))
    input, target = input * 2, target - 1
    parameters = [weight] if entry.name == "Muon" else [weight, bias]
    optimizer = kind(parameters, **options)
    losses = []

    def closure() -> Any:
        optimizer.zero_grad()
        loss = ((weight @ input + bias - target) ** 2).mean()
        loss.backward()
        if entry.only_supports_sparse_grads:
            weight.grad, bias.grad = weight.grad.to_sparse(), bias.grad.to_sparse()
        return loss

    for _ in range(STEPS):
        loss = optimizer.step(closure) if entry.step_requires_closure else _step(optimizer, closure)
        losses.append(float(loss))
    state = {f"{index} {name}": value for index, held in optimizer.state_dict()["state"].items()
             for name, value in held.items() if isinstance(value, (m.Tensor, int, float))}  # fmt: skip
    return {"losses": losses, "weight": weight.detach(), "bias": bias.detach(), **state}


def _step(optimizer: Any, closure: Any) -> Any:
    loss = closure()
    optimizer.step()
    return loss


def _numbers(m: Any, shape: tuple[int, ...]) -> Any:
    count = shape[0] * shape[1]
    return m.sin(m.arange(count, dtype=m.float32) * 1.7 + shape[1]).reshape(shape)


def _judge_errors(entry: OptimizerInfo, verdict: Verdict) -> None:
    for one in entry.optim_error_inputs_func(device="cpu", dtype=torch.float32):
        error: BaseException | None
        try:
            sample, kind = _translated(one.optimizer_error_input), function(entry.optim_cls)
            error = _refusal(kind, sample, one.error_on is not OptimizerErrorEnum.CONSTRUCTION_ERROR)
        except MissingError as missing:
            error = missing
        verdict.note_error(one.optimizer_error_input.desc, error, one.error_type)


def _translated(sample: OptimizerInput) -> OptimizerInput:
    params = sample.params if sample.params is not None else [torch.nn.Parameter(torch.randn(2, 3))]
    translate = Translation()
    return OptimizerInput(translate(params), translate(sample.kwargs), sample.desc)


def _refusal(kind: Any, sample: OptimizerInput, steps: bool) -> BaseException | None:
    """The error that making the optimizer raises (or a step); a warning counts as one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            optimizer = kind(sample.params, **sample.kwargs)
            if steps:
                optimizer.step()
    except Exception as error:
        return error
    return None

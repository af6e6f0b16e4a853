"""`module_db`: modules with their state, forward and backward, on PyTorch and on Kadam."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import torch
from torch.testing._internal.common_modules import ModuleErrorEnum, ModuleInfo, ModuleInput, module_db

import kadam
from conformance.counterpart import MissingError, Translation, as_torch, function, remember_constructions
from conformance.difference import Comparison, moved_by_a_rounding, tolerance_of
from conformance.operators import attempt, cotangent, leaves
from conformance.verdict import Verdict, disagreement

KINDS = ("module", "module-error")
remember_constructions()
ENTRIES: dict[str, ModuleInfo] = {one.name: one for one in module_db}


def names(kind: str) -> list[str]:
    """The entries that are compared in a kind."""
    return [name for name, one in ENTRIES.items() if kind == "module" or one.module_error_inputs_func is not None]


def judge(name: str, kinds: Sequence[str]) -> list[Verdict]:
    """Compare an entry in these kinds."""
    entry = ENTRIES[name]
    verdicts = [Verdict(kind, name) for kind in kinds]
    for verdict in verdicts:
        _judge_errors(entry, verdict) if verdict.kind == "module-error" else _judge(entry, verdict)
    return verdicts


def _judge(entry: ModuleInfo, verdict: Verdict) -> None:
    tolerance = tolerance_of(entry.decorators)
    for training in (True, False) if entry.train_and_eval_differ else (True,):
        for index, sample in enumerate(_samples(entry.module_inputs_func, entry, training)):
            mode = "training" if training else "evaluating"
            compare = Comparison(tolerance)
            found = _compare(entry, sample, training, compare)
            verdict.note(f"sample {index}, {mode} ({sample.desc})", found)
            verdict.excused += found is None and compare.excused > 0


def _samples(make: Callable[..., Any], entry: ModuleInfo, training: bool) -> Iterable[Any]:
    torch.manual_seed(0)
    settings = {"device": "cpu", "dtype": torch.float32, "requires_grad": True, "training": training}
    return make(entry, **settings)  # type: ignore[no-any-return]


class _Run:
    """What a module does, on either side: each stage can be asked for on its own."""

    def __init__(self, m: Any, kind: Any, built: tuple[Any, Any], given: tuple[Any, Any], training: bool) -> None:
        self.m, self.kind, self.built, self.given, self.training = m, kind, built, given, training
        self.module: Any = None
        self.result: Any = None

    def construct(self) -> Any:
        args, kwargs = self.built
        self.module = self.kind(*args, **kwargs)
        self.module.train(self.training)
        return self.state()

    def state(self) -> Any:
        """Parameters and buffers by name; lazy ones have no values yet."""
        lazy = self.m.nn.parameter.UninitializedTensorMixin
        found = dict(self.module.state_dict().items())
        return {name: one.detach() if not isinstance(one, lazy) else None for name, one in found.items()}

    def forward(self) -> Any:
        args, kwargs = self.given
        self.result = self.module(*args, **kwargs)
        return self.result

    def backward(self) -> Any:
        """The gradients of the inputs and parameters that require one."""
        inputs = [one for one in leaves(list(self.given), self.m.Tensor) if one.requires_grad]
        roots = [one for one in leaves(self.result, self.m.Tensor) if one.requires_grad]
        named = {f"input {index}": one for index, one in enumerate(inputs)}
        named |= {name: one for name, one in self.module.named_parameters() if one.requires_grad}
        if not roots or not named:
            return {}
        cotangents = [cotangent(self.m, one) for one in roots]
        found = self.m.autograd.grad(roots, list(named.values()), cotangents, allow_unused=True)
        return dict(zip(named, found, strict=True))


STAGES = ("construct", "forward", "backward", "state")


def _compare(entry: ModuleInfo, sample: ModuleInput, training: bool, compare: Comparison) -> Any:
    """The first stage in which the two differ; None if none does."""
    built = sample.constructor_input.args, sample.constructor_input.kwargs
    forward = sample.forward_input
    given = (forward.args, forward.kwargs) if forward is not None else ((), {})
    translate = Translation()
    try:
        own = _Run(kadam, function(entry.module_cls), translate(built), translate(given), training)
    except MissingError as error:
        return error
    reference = _Run(torch, entry.module_cls, built, given, training)
    for stage in STAGES if forward is not None else STAGES[:1]:
        expected, refused = attempt(getattr(reference, stage), torch)
        actual, error = attempt(lambda stage=stage: as_torch(getattr(own, stage)()), kadam)  # type: ignore[misc]
        if refused is not None:
            if error is None:
                return f"{stage}: no error; PyTorch: {refused}"
            return disagreement(error, type(refused))
        if error is not None:
            return error
        compare.again = partial(_again, entry, built, given, training, stage)
        found = compare.difference(actual, expected)
        if found is not None:
            return f"{stage}: {found}"
    return None


def _again(
    entry: ModuleInfo, built: Any, given: Any, training: bool, stage: str, seed: int | None, precise: bool
) -> Any:
    """What a stage gives once more, from the same parameters and inputs; with a seed, these are moved."""
    run = _Run(torch, entry.module_cls, built, _moved(given, seed, precise), training)
    for one in STAGES[: STAGES.index(stage) + 1]:
        found, error = attempt(getattr(run, one), torch)
        if error is not None:
            raise error
        if one == "construct":
            _move(run.module, seed)
            run.module.to(torch.float64 if precise else torch.float32)
    return found


@torch.no_grad()
def _move(module: torch.nn.Module, seed: int | None) -> None:
    """Move a module's parameters by a rounding."""
    for one in module.parameters():
        if not torch.nn.parameter.is_lazy(one) and one.is_floating_point():
            one.copy_(moved_by_a_rounding(one, seed))


def _moved(value: Any, seed: int | None, precise: bool) -> Any:
    """The inputs, moved by a rounding if there is a seed, in double precision if that is asked for."""
    if isinstance(value, torch.Tensor) and value.dtype is torch.float32:
        moved = moved_by_a_rounding(value.detach(), seed).to(torch.float64 if precise else torch.float32, copy=True)
        return moved.requires_grad_(value.requires_grad)
    if isinstance(value, (list, tuple)):
        return type(value)(_moved(one, seed, precise) for one in value)
    if isinstance(value, dict):
        return {name: _moved(one, seed, precise) for name, one in value.items()}
    return value


def _judge_errors(entry: ModuleInfo, verdict: Verdict) -> None:
    for index, one in enumerate(_samples(entry.module_error_inputs_func, entry, True)):
        sample = one.module_error_input
        built = sample.constructor_input.args, sample.constructor_input.kwargs
        forward = sample.forward_input
        translate = Translation()
        error: BaseException | None
        try:
            given = translate((forward.args, forward.kwargs)) if forward is not None else None
            run = _Run(kadam, function(entry.module_cls), translate(built), given, True)
            _, error = attempt(run.construct, kadam)
            if error is None and one.error_on is not ModuleErrorEnum.CONSTRUCTION_ERROR:
                _, error = attempt(lambda run=run: as_torch(run.forward()), kadam)
        except MissingError as missing:
            error = missing
        verdict.note_error(f"error input {index} ({one.error_regex})", error, one.error_type)

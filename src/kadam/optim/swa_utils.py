"""Averages of models along their training: of the weights (SWA), or fading (EMA). As `torch.optim.swa_utils`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from typing import Any, Literal

from kadam import missing
from kadam.dtypes import dtype
from kadam.ir.graph import Phase
from kadam.nn.modules.batchnorm import _BatchNorm
from kadam.nn.modules.module import Module
from kadam.ops.creation import tensor
from kadam.optim.lr_scheduler.base import LRScheduler, per_group
from kadam.optim.optimizer import Optimizer
from kadam.recording.memory import assign_all
from kadam.recording.modes import no_grad
from kadam.recording.operation import operation
from kadam.recording.tensor import Number, add_now
from kadam.tensor import Tensor

AverageOne = Callable[[Tensor, Tensor, Any], Tensor]
AverageAll = Callable[[Sequence[Tensor], Sequence[Tensor], Any], None]


def get_ema_multi_avg_fn(decay: float = 0.999) -> AverageAll:
    """A function that moves averages by 1 - decay towards the present values, in place.

    Raises:
        ValueError: `decay` is not in [0, 1].
    """
    _check_decay(decay)

    @no_grad()
    def ema_update(averages: Sequence[Tensor], values: Sequence[Tensor], _: Any) -> None:
        assign_all(averages, towards(averages, values, 1 - decay))

    return ema_update


def get_swa_multi_avg_fn() -> AverageAll:
    """A function that takes one more value into plain averages, in place."""

    @no_grad()
    def swa_update(averages: Sequence[Tensor], values: Sequence[Tensor], num_averaged: Any) -> None:
        assign_all(averages, towards(averages, values, 1 / (float(num_averaged) + 1)))

    return swa_update


def get_ema_avg_fn(decay: float = 0.999) -> AverageOne:
    """A function of an average, a present value and a count: decay average + (1 - decay) value.

    Raises:
        ValueError: `decay` is not in [0, 1].
    """
    _check_decay(decay)

    @no_grad()
    def ema_update(average: Tensor, value: Tensor, num_averaged: Any) -> Tensor:
        return average * decay + value * (1 - decay)

    return ema_update


def get_swa_avg_fn() -> AverageOne:
    """A function of an average, a present value and how many it is the average of: the average with one more."""

    @no_grad()
    def swa_update(average: Tensor, value: Tensor, num_averaged: Any) -> Tensor:
        moved: Tensor = average + (value - average) / (num_averaged + 1)
        return moved

    return swa_update


def _check_decay(decay: float) -> None:
    if not 0 <= decay <= 1:
        raise ValueError(f"ema: decay must be in [0, 1], but it is {decay}. Fix: decay=0.999.")


@operation(differentiable=False, phase=Phase.UPDATE)
def towards(averages: Sequence[Tensor], values: Sequence[Tensor], weight: Number) -> list[Tensor]:
    """a + weight (v - a) for each average a and value v; whole numbers are cut off."""
    return [(a + weight * (v - a)).to(a.dtype) for a, v in zip(averages, values, strict=True)]


class AveragedModel(Module):
    """A copy of a model whose parameters are averages of the model's, as of each `update_parameters(model)`.

    Args:
        model: what is copied.
        device: where the copy stands.
        avg_fn: from an average, a present value and the count of averaged ones to the new average; SWA if None.
        multi_avg_fn: does the same for lists of tensors, in place.
        use_buffers: whether buffers are averaged too; otherwise they are copied.

    Attributes:
        module: the copy.
        n_averaged: how many models it is the average of.

    Raises:
        AssertionError: both functions are given.

    Source: Izmailov et al. 2018, https://arxiv.org/abs/1803.05407 (SWA); Polyak and Juditsky 1992 (EMA).
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: AverageOne | None = None,
        multi_avg_fn: AverageAll | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("AveragedModel: give avg_fn or multi_avg_fn, not both. Fix: leave one of the two out.")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tensor(0))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Take the parameters of `model` into the averages; the first ones are copied."""
        averages, values = _parameters_of(self.module), _parameters_of(model)
        buffers, present = list(self.module.buffers()), list(model.buffers())
        if self.use_buffers:
            averages += buffers
            values += present
        else:
            assign_all(buffers, present)
        count = int(self.n_averaged)
        if count == 0:
            assign_all(averages, values)
        elif self.avg_fn is None:
            self._average(averages, values)
        else:
            for average, value in zip(averages, values, strict=True):
                average.copy_(self.avg_fn(average, value, self.n_averaged))
        add_now(self.n_averaged, 1)

    def _average(self, averages: list[Tensor], values: list[Tensor]) -> None:
        """Hand the tensors of each type to `multi_avg_fn`."""
        update = self.multi_avg_fn or get_swa_multi_avg_fn()
        kinds: dict[dtype, tuple[list[Tensor], list[Tensor]]] = {}
        for average, value in zip(averages, values, strict=True):
            of_kind = kinds.setdefault(average.dtype, ([], []))
            of_kind[0].append(average)
            of_kind[1].append(value)
        for of_kind in kinds.values():
            update(*of_kind, self.n_averaged)


def _parameters_of(model: Module) -> list[Tensor]:
    return list(model.parameters())


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running statistics of a model's batch norms afresh, as plain means over the batches of `loader`.

    Args:
        loader: of inputs, or of lists or tuples whose first entry is the input.
        model: left in the mode, training or not, in which it was.
        device: where inputs are moved.
    """
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    was_training = model.training
    model.train()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    for batch in loader:
        inputs = batch[0] if isinstance(batch, (list, tuple)) else batch
        model(inputs if device is None else inputs.to(device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """From the present rate to `swa_lr` in `anneal_epochs` epochs, and constant from there.

    Args:
        optimizer: whose rates are scheduled.
        swa_lr: the last rate; a number, or a list with one per group.
        anneal_epochs: epochs of the way there.
        anneal_strategy: "cos" or "linear".
        last_epoch: index of the last epoch done.

    Raises:
        ValueError: the strategy is unknown, or `anneal_epochs` is negative or no integer.

    Source: Izmailov et al. 2018, https://arxiv.org/abs/1803.05407.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | list[float],
        anneal_epochs: int = 10,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        last_epoch: int = -1,
    ) -> None:
        for group, rate in zip(optimizer.param_groups, per_group("swa_lr", optimizer, swa_lr), strict=True):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"SWALR: anneal_strategy must be 'cos' or 'linear', not {anneal_strategy!r}. Fix: "
                "anneal_strategy='cos'."
            )
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(
                f"SWALR: anneal_epochs must be an integer of at least 0, not {anneal_epochs}. Fix: anneal_epochs=10."
            )
        self._anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        self._warn_unless_stepping()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = (self._done(each) for each in (step - 1, step))
        rates = []
        for group in self.optimizer.param_groups:
            target = group["swa_lr"]
            start = target if before == 1 else (group["lr"] - before * target) / (1 - before)
            rates.append(target * now + start * (1 - now))
        return rates

    def _done(self, step: int) -> float:
        """How much of the way is behind at a step: from 0 to 1."""
        time = max(0, min(1, step / max(1, self.anneal_epochs)))
        return (1 - math.cos(math.pi * time)) / 2 if self._anneal_strategy == "cos" else time


missing.install(__name__)

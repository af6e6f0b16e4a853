"""Whether Python's part in a step is the same at every step, so that it need not be there."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from kadam.nn.modules import (
    activation,
    container,
    conv,
    dropout,
    flatten,
    linear,
    loss,
    normalization,
    padding,
    pooling,
)
from kadam.nn.modules.module import Module
from kadam.optim.lr_scheduler import LRScheduler, cosine, cycle, factor
from kadam.train.callbacks import Callback

if TYPE_CHECKING:
    from kadam.train.trainer import Trainer


def _classes(kind: type, *rooms: ModuleType) -> frozenset[type]:
    """The classes of a kind that stand in some rooms."""
    found = (one for room in rooms for one in vars(room).values())
    return frozenset(one for one in found if isinstance(one, type) and issubclass(one, kind))


# Whose forward only records calls, the same each time: it keeps no count and looks at no value. What draws random
# numbers may be among them, for it is fed with new tensors at each step, and that is seen.
MODULES = _classes(Module, activation, container, conv, dropout, flatten, linear, normalization, padding, pooling)
LOSSES = frozenset({
    loss.BCELoss, loss.BCEWithLogitsLoss, loss.CrossEntropyLoss, loss.HuberLoss, loss.KLDivLoss, loss.L1Loss,
    loss.MSELoss, loss.NLLLoss, loss.PoissonNLLLoss, loss.SmoothL1Loss,
})  # fmt: skip
SCHEDULERS = _classes(LRScheduler, cosine, cycle, factor)  # not those made of others, which may be anyone's


def steady(trainer: Trainer) -> bool:
    """Whether a step of this trainer runs only code that does the same at every step."""
    scheduler = trainer.scheduler if trainer.scheduler_each == "step" else None
    return (
        trainer.steps_as_declared
        and all(type(one).on_step is Callback.on_step for one in trainer.callbacks)
        and (scheduler is None or type(scheduler) in SCHEDULERS)
        and isinstance(trainer.loss, Module)
        and all(map(_is_steady, (*trainer.model.modules(), *trainer.loss.modules())))
    )


def _is_steady(module: Module) -> bool:
    known = type(module) in MODULES or type(module) in LOSSES
    return known and not module._hooked and "forward" not in vars(module)

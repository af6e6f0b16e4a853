"""Whether Python's part in a step is the same at every step, so that it need not be there.

Of Kadam's own modules that is known; of other code the user may promise it (`Trainer(steady=True)`).
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from kadam import nn
from kadam.nn import functional as F
from kadam.nn.modules import (
    activation,
    batchnorm,
    container,
    conv,
    dropout,
    flatten,
    instancenorm,
    linear,
    loss,
    normalization,
    padding,
    parameter_containers,
    pooling,
)
from kadam.nn.modules.hooks import has_hooks
from kadam.nn.modules.module import Module
from kadam.optim.lr_scheduler import LRScheduler, cosine, cycle, factor
from kadam.train.callbacks import Callback

if TYPE_CHECKING:
    from kadam.train.trainer import Trainer


def _classes(kind: type, *rooms: ModuleType) -> frozenset[type]:
    """The classes of a kind that stand in some rooms."""
    found = (one for room in rooms for one in vars(room).values())
    return frozenset(one for one in found if isinstance(one, type) and issubclass(one, kind))


# Whose forward only records calls, the same each time: it keeps no count but that of batches (`draws.Counters`), and
# looks at no value. What draws random numbers may be among them, for it is fed with new tensors, and that is seen.
MODULES = _classes(
    Module, activation, batchnorm, container, conv, dropout, flatten, instancenorm, linear, normalization, padding,
    parameter_containers, pooling,
)  # fmt: skip
LOSSES = frozenset({
    loss.BCELoss, loss.BCEWithLogitsLoss, loss.CrossEntropyLoss, loss.HuberLoss, loss.KLDivLoss, loss.L1Loss,
    loss.MSELoss, loss.NLLLoss, loss.PoissonNLLLoss, loss.SmoothL1Loss,
})  # fmt: skip
FUNCTIONS = frozenset({
    F.binary_cross_entropy, F.binary_cross_entropy_with_logits, F.cross_entropy, F.huber_loss, F.kl_div, F.l1_loss,
    F.mse_loss, F.nll_loss, F.poisson_nll_loss, F.smooth_l1_loss,
})  # fmt: skip
_OTHERS = _classes(Module, nn) - MODULES - LOSSES - {Module}  # they look at values, or nobody has asked yet
SCHEDULERS = _classes(LRScheduler, cosine, cycle, factor)  # not those made of others, which may be anyone's


def steady(trainer: Trainer) -> bool:
    """Whether a step of this trainer runs only code that does the same at every step."""
    scheduler = trainer.scheduler if trainer.scheduler_each == "step" else None
    loss = trainer.loss
    modules = [*trainer.model.modules(), *(loss.modules() if isinstance(loss, Module) else ())]
    return (
        (trainer.steady or trainer.steps_as_declared)
        and all(type(one).on_step is Callback.on_step for one in trainer.callbacks)
        and (scheduler is None or type(scheduler) in SCHEDULERS)
        and (trainer.steady or isinstance(loss, Module) or any(loss is one for one in FUNCTIONS))
        and all(_is_steady(module, trainer.steady) for module in modules)
    )


def _is_steady(module: Module, promised: bool) -> bool:
    if has_hooks(module):
        return False
    if promised:
        return _OTHERS.isdisjoint(type(module).__mro__)
    return (type(module) in MODULES or type(module) in LOSSES) and "forward" not in vars(module)

"""How the optimizers are written: one rule for one parameter, applied to a whole group in one recorded call."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from operator import is_
from typing import Any, NoReturn

import numpy as np

from kadam.dtypes import default_float, dtype, float32, float64
from kadam.errors import AxisError, OperandError, UnsupportedError
from kadam.hot import hot, slotted
from kadam.ops.combine import stack
from kadam.ops.convert import imag, make_complex, real
from kadam.optim.count import tick, value_of
from kadam.optim.optimizer import Optimizer, begin_step, calls_its_hooks, step_amid_hooks
from kadam.optim.remembered import Changes, Memory, Remembered, had_sparse
from kadam.recording.herd import Herd, may_herd
from kadam.recording.modes import enable_grad
from kadam.recording.settling import settle
from kadam.recording.tensor import from_array
from kadam.shapes import Shape
from kadam.tensor import Tensor


@slotted
class Batch:
    """Parameters of a group that take the same step: with their gradients and what is remembered of each.

    Attributes:
        kept: whether they took the last step together too, and nothing was replaced in what is remembered since.
    """

    __slots__ = ("grads", "params", "states")
    kept = False

    def __init__(self, params: list[Tensor], grads: list[Tensor], states: list[dict[str, Any]]) -> None:
        self.params = params
        self.grads = grads
        self.states = states

    def column(self, name: str) -> list[Tensor]:
        """What is remembered under `name`, of each parameter."""
        return [state[name] for state in self.states]

    def split(self, clocks: Sequence[Hashable]) -> list[tuple[Hashable, Batch]]:
        """The parameters by their clocks."""
        parts: dict[Hashable, Batch] = {}
        for clock, param, grad, state in zip(clocks, self.params, self.grads, self.states, strict=True):
            part = parts.setdefault(clock, Batch([], [], []))
            part.params.append(param)
            part.grads.append(grad)
            part.states.append(state)
        return list(parts.items())


@slotted
class Team(Batch):
    """A batch that is kept from step to step."""

    __slots__ = ("changes", "columns", "memory")
    kept = True

    def __init__(self, params: list[Tensor], memory: Memory, states: list[dict[str, Any]]) -> None:
        super().__init__(params, [], states)
        for param in params:
            settle(param)
        self.memory, self.changes = memory, Changes.count
        self.columns: dict[str, list[Tensor]] = {}

    @hot
    def fits(self, params: Sequence[Tensor], memory: Any, grads: list[Tensor]) -> bool:
        """Whether these parameters are the team's, and what it remembers is as it was; if so it takes the gradients."""
        if self.changes != Changes.count or self.memory is not memory or len(grads) != len(params):
            return False
        self.grads = grads
        return len(params) == len(self.params) and all(map(is_, params, self.params))

    @hot
    def column(self, name: str) -> list[Tensor]:
        found: Any = self.columns.get(name)
        if found is None or (found.__class__ is Herd and not found.bond.open):
            found = self.columns[name] = self._gathered(name)
        return found  # type: ignore[no-any-return]

    def _gathered(self, name: str) -> list[Tensor]:
        found = super().column(name)
        for one in found:
            settle(one)
        herding = all(map(may_herd, found)) and len(set(map(id, found))) == len(found)
        return Herd(found) if herding else found  # type: ignore[return-value]


def _evaluated(closure: Callable[[], Any]) -> Any:
    with enable_grad():
        return closure()


def _clocks(batch: Batch, names: Sequence[str]) -> list[Any]:
    """The remembered numbers of each parameter."""
    clocks: list[Any] = [tuple([value_of(state[name]) for name in names]) for state in batch.states]
    return [clock[0] for clock in clocks] if len(names) == 1 else clocks


class SparseGradientError(UnsupportedError, RuntimeError):
    """A sparse gradient for an optimizer that takes dense ones, or the other way round."""


def refuse_sparse(family: str) -> NoReturn:
    """Raise for a sparse gradient, in families whose rule has no meaning for it."""
    raise SparseGradientError(
        f"{family} does not support sparse gradients, please consider SparseAdam instead. Fix: optim.SparseAdam for "
        "tables with sparse=True, or sparse=False."
    )


def made_dense(family: str, grads: list[Any], group: dict[str, Any]) -> list[Any]:
    """Gradients, the sparse ones as dense ones.

    Raises:
        SparseGradientError: a gradient is sparse, and the group has a weight decay, which concerns all elements.
    """
    if group["weight_decay"] and not all(isinstance(grad, Tensor) for grad in grads):
        raise SparseGradientError(
            f"{family}: weight_decay option is not compatible with sparse gradients. Fix: weight_decay=0 for the group "
            "of these tables, or sparse=False."
        )
    return [grad if isinstance(grad, Tensor) else grad.to_dense() for grad in grads]


class RuleOptimizer(Optimizer):
    """An optimizer of which a family says what it remembers (`_start`), and how it applies its rule (`_update`).

    Attributes:
        _numbers: names of the remembered numbers on which the rule's scalars depend: a parameter's clock.
    """

    _numbers: tuple[str, ...] = ("step",)
    _teams: Mapping[int, Team] = {}  # id of a group -> those who took its last step

    def _start(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        """What is remembered of a parameter before its first step."""
        raise NotImplementedError

    def _update(self, group: dict[str, Any], clock: Any, batch: Batch) -> None:
        """Apply the rule, with the scalars of this clock."""
        raise NotImplementedError

    @calls_its_hooks
    @hot
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters that have a gradient.

        Args:
            closure: computes the loss and its gradients anew before the update.

        Returns:
            What the closure returned.
        """
        outermost: Any = self.__class__.step is _step  # the step of a subclass, which has the hooks, calls this one
        if outermost and begin_step(self):
            return step_amid_hooks(RuleOptimizer._apply, self, () if closure is None else (closure,), {})
        return self._apply(closure)

    @hot
    def _apply(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None if closure is None else _evaluated(closure)
        for group in self.param_groups:
            grads: list[Any] = [grad for param in group["params"] if (grad := param._grad) is not None]
            team: Any = self._teams.get(id(group))
            if team is None or not team.fits(group["params"], self.state, grads):
                if not grads:
                    continue
                team = self._batch(group, grads)
            for clock, part in self._parts(team, group):
                self._update(group, clock, part)
            team.grads = []  # what nobody else holds need not be computed
        return loss

    def _batch(self, group: dict[str, Any], grads: list[Tensor]) -> Batch:
        """The parameters of a group that have gradients, and these; they may be a team from the next step on."""
        params = [param for param in group["params"] if param._grad is not None]
        grads = self._admitted(grads, group)
        states = self._remembered(params, group)
        memory: Any = self.state
        noting = memory.__class__ is Memory and all(state.__class__ is Remembered for state in states)
        if noting and len(params) == len(group["params"]) and not had_sparse(params):
            teams = {id(one): team for one in self.param_groups if (team := self._teams.get(id(one)))}
            self._teams = {**teams, id(group): Team(params, memory, states)}
        return Batch(params, grads, states)

    def _admitted(self, grads: list[Any], group: dict[str, Any]) -> list[Any]:
        """The gradients as the rule takes them: families that take sparse ones say how.

        Raises:
            SparseGradientError: a gradient is sparse.
        """
        if not all(isinstance(grad, Tensor) for grad in grads):
            refuse_sparse(type(self).__name__)
        return grads

    def _remembered(self, params: list[Tensor], group: dict[str, Any]) -> list[dict[str, Any]]:
        """What is remembered of each parameter."""
        memory = self.state
        states: list[dict[str, Any]] = [memory[param] for param in params]
        for param, state in zip(params, states, strict=True):
            if not state:
                state.update(self._start(param, group))
        return states

    @hot
    def _parts(self, batch: Batch, group: dict[str, Any]) -> Iterable[tuple[Any, Batch]]:
        """The batch by clocks, once its steps are counted: one part, unless some parameters missed earlier steps.

        A clock is the count of steps, this one included, if that is all that the rule depends on.
        """
        count = tick(batch.column("step"))
        names = self._numbers
        if not names or (count is not None and names == ("step",)):
            return ((count, batch),)
        return batch.split(_clocks(batch, names))

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:  # options that the saved state is too old to have
            for name, default in self.defaults.items():
                group.setdefault(name, default)
        for remembered in self.state.values():
            if "step" in remembered and not isinstance(remembered["step"], Tensor):
                remembered["step"] = scalar(float(remembered["step"]))


_step = RuleOptimizer.step


@hot
def course(group: dict[str, Any], lr: float = 0.0) -> tuple[str, float | None, bool]:
    """What else than its gradients steers a group: the arguments decay, amount and maximize of `on_course`.

    Args:
        group: its weight decay is "inside" the gradient, or "beside" the step (decoupled).
        lr: its learning rate, for a decoupled weight decay.
    """
    if not group["weight_decay"]:
        return "none", None, group["maximize"]
    weight_decay = number(group["weight_decay"])
    if group.get("decoupled_weight_decay", False):
        return "beside", 1 - lr * weight_decay, group["maximize"]
    return "inside", weight_decay, group["maximize"]


def steered(group: dict[str, Any], lr: float = 0.0) -> dict[str, Any]:
    """`course` by name."""
    return dict(zip(("decay", "amount", "maximize"), course(group, lr), strict=True))


def on_course(param: Tensor, grad: Tensor, decay: str, amount: Any, maximize: bool) -> tuple[Tensor, Tensor]:
    """The parameter, shrunk by a weight decay beside the step, and the gradient to descend, with one inside it."""
    if maximize:
        grad = -grad
    if decay == "inside":
        grad = grad + amount * param
    elif decay == "beside":
        param = param * amount
    return param, grad


def for_each(rule: Callable[..., tuple[Tensor, ...]], *columns: Sequence[Tensor]) -> list[Tensor]:
    """Apply the rule of one parameter to each; the results column by column: all parameters, all first moments ...

    Complex numbers are handed to the rule as pairs of real ones.
    """
    rows = [_on_real_pairs(rule, row) for row in zip(*columns, strict=True)]
    return [value for column in zip(*rows, strict=True) for value in column]


def _on_real_pairs(rule: Callable[..., tuple[Tensor, ...]], row: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(from_pairs(value, row[0]) for value in rule(*map(as_pairs, row)))


def as_pairs(value: Tensor) -> Tensor:
    """Complex numbers as pairs of real ones, along a new last axis; real numbers as they are."""
    return stack([real(value), imag(value)], -1) if value.is_complex() else value


def from_pairs(value: Tensor, like: Tensor) -> Tensor:
    """What `as_pairs` made of a tensor such as `like`, back again."""
    return make_complex(value.select(-1, 0), value.select(-1, 1)) if like.is_complex() else value


def scalar(value: float) -> Tensor:
    """A number that is remembered of a parameter, such as its count of steps."""
    kind = float64 if default_float() is float64 else float32
    return from_array(np.array(value, kind.numpy))


def filled_like(param: Tensor, value: complex = 0) -> Tensor:
    """A tensor of the parameter's type, all of `value`."""
    return from_array(np.full(param.shape, value, param.dtype.numpy))


def zeros(shape: Shape, record: dtype) -> Tensor:
    """A tensor of zeros."""
    return from_array(np.zeros(shape, record.numpy))


@hot
def number(value: Any) -> Any:
    """An option as a number, which may be given as a tensor of one element."""
    return value.item() if isinstance(value, Tensor) else value


def check_numbers(family: str, **options: Any) -> None:
    """Raise ValueError for an option that is negative, and for a tensor that holds more than one number."""
    for name, value in options.items():
        if isinstance(value, Tensor) and value.numel() != 1:
            raise ValueError(
                f"{family}: {name} as a Tensor must be 1-element, not of shape {tuple(value.shape)}. Fix: "
                f"{name}=float(value), or a tensor of one element."
            )
        if not hasattr(value, "__float__"):
            raise OperandError(f"{family}: {name} must be a number, not {type(value).__name__}. Fix: {name}=1e-3.")
        if not value >= 0:
            raise ValueError(
                f"{family}: Invalid {name}: {value}; it must not be negative. Fix: give {name} >= 0, for example 1e-3."
            )


def check_real(family: str, params: Iterable[Tensor]) -> None:
    """Raise RuntimeError for a parameter of complex numbers, in families whose rule has no meaning for them."""
    for param in params:
        if param._spec.dtype.is_complex:
            raise RuntimeError(
                f"{family} does not support complex parameters, such as this {param._spec.type}. Fix: optim.Adam."
            )


def check_tensors_allowed(family: str, foreach: bool | None, capturable: bool, **options: Any) -> None:
    """Raise ValueError for options given as tensors where PyTorch's `foreach` takes numbers."""
    for name, value in options.items():
        if isinstance(value, Tensor) and foreach and not capturable:
            raise ValueError(
                f"{family}: {name} as a Tensor is not supported for capturable=False and foreach=True. Fix: give a "
                "float, or leave foreach out."
            )


def check_betas(family: str, betas: Sequence[Any]) -> None:
    """Raise ValueError for a decay rate of moments outside [0, 1)."""
    if not isinstance(betas, Sequence) or not all(hasattr(beta, "__float__") for beta in betas):
        raise OperandError(f"{family}: betas must be two numbers, not {betas!r}. Fix: betas=(0.9, 0.999).")
    if len(betas) < 2:
        raise AxisError(f"{family}: betas must be two numbers, but there are {len(betas)}. Fix: betas=(0.9, 0.999).")
    for index, beta in enumerate(betas):
        if not 0 <= beta < 1:
            raise ValueError(
                f"{family}: Invalid beta parameter at index {index}: {beta}; it must be in [0, 1). Fix: betas=(0.9, "
                "0.999)."
            )


def check_modes(family: str, differentiable: bool, foreach: bool | None = None, fused: bool | None = None) -> None:
    """Refuse what cannot be done. Whether updates are made one by one or all at once is Kadam's own choice."""
    if fused and (differentiable or foreach):
        raise RuntimeError(
            f"{family}: `fused` and {'`differentiable`' if differentiable else '`foreach`'} exclude each other. Fix: "
            "leave one of the two out."
        )
    if differentiable:
        raise UnsupportedError(
            f"{family}: differentiable=True, derivatives through the update, is not supported. Fix: write the update "
            "with tensor operations, outside no_grad()."
        )

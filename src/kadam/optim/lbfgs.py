"""Limited-memory BFGS: steps that know the curvature of the loss from the steps before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kadam.ir.graph import Phase
from kadam.ops.combine import cat
from kadam.ops.creation import full
from kadam.ops.query import is_tensor
from kadam.optim.line_search import Point, strong_wolfe
from kadam.optim.optimizer import Optimizer, ParamsT
from kadam.optim.rule import as_pairs, check_numbers, filled_like, from_pairs, number
from kadam.recording.memory import assign_all
from kadam.recording.modes import enable_grad, no_grad
from kadam.recording.operation import operation
from kadam.recording.tensor import Number, read

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class LBFGS(Optimizer):
    """Quasi-Newton steps for small, smooth problems; each `step(closure)` makes several of them.

    Args:
        params: parameters, in one group.
        lr: length of the steps, or of the first one tried in a line search.
        max_iter: steps per call of `step`.
        max_eval: evaluations of the closure per call of `step`; 1.25 max_iter if None.
        tolerance_grad: stop when no gradient is larger.
        tolerance_change: stop when neither a parameter nor the loss changes more.
        history_size: how many steps are remembered.
        line_search_fn: "strong_wolfe", or None for steps of fixed length.

    Raises:
        ValueError: `lr` is negative, or there are several groups.

    Source: Nocedal and Wright, "Numerical Optimization", algorithm 7.5.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_numbers("LBFGS", lr=lr)
        options = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, options)
        if len(self.param_groups) != 1:
            raise ValueError(
                f"LBFGS: takes one parameter group, not {len(self.param_groups)}: its step is one for all. Fix: "
                "LBFGS(model.parameters())."
            )

    @property
    def _params(self) -> list[Tensor]:
        return self.param_groups[0]["params"]  # type: ignore[no-any-return]

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Make up to `max_iter` steps.

        Args:
            closure: clears the gradients, computes the loss, calls its `backward()`, and returns the loss.

        Returns:
            What the closure returned before the first step.
        """
        with no_grad():
            return self._minimize(enable_grad()(closure))

    def _minimize(self, closure: Callable[[], Any]) -> Any:
        group = self.param_groups[0]
        lr, max_eval, least_change = number(group["lr"]), group["max_eval"], group["tolerance_change"]
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first_loss = closure()
        loss, grad = float(first_loss), self._gradient()
        state["func_evals"] += 1
        evaluations = 1
        if _largest(grad) <= group["tolerance_grad"]:
            return first_loss
        for steps_left in range(group["max_iter"] - 1, -1, -1):
            self._turn(state, grad)
            state["prev_loss"] = loss
            direction = state["d"]
            t = state["t"] = lr if state["n_iter"] > 1 else min(1.0, 1.0 / _number_in(grad.abs().sum())) * lr
            slope = _number_in(grad.dot(direction))
            if slope > -least_change:
                break
            start = Point(0, loss, grad, slope)
            reached, used = self._advance(closure, start, direction, t, steps_left, max_eval - evaluations)
            loss, grad, state["t"] = reached.loss, reached.grad, _as_rate(reached.t, group["lr"])
            state["func_evals"] += used
            evaluations += used
            if not steps_left or evaluations >= max_eval or _largest(grad) <= group["tolerance_grad"]:
                break
            if _largest(direction * state["t"]) <= least_change or abs(loss - start.loss) < least_change:
                break
        return first_loss

    def _turn(self, state: dict[str, Any], grad: Tensor) -> None:
        """Find the next direction, with what the last step has shown of the curvature."""
        state["n_iter"] += 1
        if state["n_iter"] == 1:
            state.update(d=-grad, old_dirs=[], old_stps=[], ro=[], H_diag=1)
        else:
            change = grad - state["prev_flat_grad"]
            moved = state["d"] * state["t"]
            curvature = change.dot(moved)
            if _number_in(curvature) > 1e-10:
                if len(state["old_dirs"]) == self.param_groups[0]["history_size"]:
                    for name in ("old_dirs", "old_stps", "ro"):
                        state[name].pop(0)
                state["old_dirs"].append(change)
                state["old_stps"].append(moved)
                state["ro"].append(1.0 / curvature)
                state["H_diag"] = curvature / change.dot(change)
            state["d"] = newton_direction(grad, state["old_dirs"], state["old_stps"], state["ro"], state["H_diag"])
        state["prev_flat_grad"] = grad

    def _advance(
        self, closure: Callable[[], Any], start: Point, direction: Tensor, t: Any, steps_left: int, evaluations: int
    ) -> tuple[Point, int]:
        """Step along the direction; the point where that leads, and how often the closure was evaluated for it."""
        method = self.param_groups[0]["line_search_fn"]
        if method is None:
            self._move(direction, t)
            if not steps_left:
                return Point(t, start.loss, start.grad, None), 0
            return Point(t, float(closure()), self._gradient(), None), 1
        if method != "strong_wolfe":
            raise RuntimeError(
                f"LBFGS: line_search_fn={method!r} is unknown; it is 'strong_wolfe' or None. Fix: "
                "line_search_fn='strong_wolfe'."
            )
        origin = [param.clone() for param in self._params]

        def evaluate(length: Any) -> Point:
            self._move(direction, length)
            loss, grad = float(closure()), self._gradient()
            assign_all(self._params, origin)
            return Point(length, loss, grad, _number_in(grad.dot(direction)))

        found, used = strong_wolfe(evaluate, start, t, _number_in(direction.abs().max()), evaluations)
        self._move(direction, found.t)
        return found, used

    def _gradient(self) -> Tensor:
        return flattened([filled_like(one) if one.grad is None else one.grad.to_dense() for one in self._params])

    def _move(self, direction: Tensor, t: Any) -> None:
        assign_all(self._params, moved_along(self._params, direction, t))


def _number_in(value: Tensor) -> Any:
    """As a NumPy number of the tensor's own precision, in which the search then computes."""
    return read(value)[()]


def _as_rate(length: Any, rate: Any) -> Any:
    """A step's length as the state keeps it: a tensor if the learning rate is one."""
    return full((), float(length), dtype=rate.dtype) if is_tensor(rate) else float(length)


def _largest(values: Tensor) -> float:
    return float(_number_in(values.abs().max()))


@operation(differentiable=False, phase=Phase.UPDATE)
def flattened(grads: Sequence[Tensor]) -> Tensor:
    """All gradients as one vector of real numbers."""
    return cat([as_pairs(grad).reshape(-1) for grad in grads])


@operation(differentiable=False, phase=Phase.UPDATE)
def moved_along(params: Sequence[Tensor], direction: Tensor, t: Number) -> list[Tensor]:
    """p + t d for each parameter and its part d of the direction."""
    moved, start = [], 0
    for param in params:
        real = as_pairs(param)
        part = direction.narrow(0, start, real.numel()).reshape(real.shape)
        moved.append(from_pairs(real + t * part, param))
        start += real.numel()
    return moved


@operation(differentiable=False, phase=Phase.UPDATE)
def newton_direction(
    grad: Tensor,
    changes: Sequence[Tensor],
    moves: Sequence[Tensor],
    inverses: Sequence[Tensor],
    scale: Tensor | Number,
) -> Tensor:
    """-H g, where H is the inverse Hessian that the remembered steps suggest, by two loops over them.

    Args:
        grad: g.
        changes: y, how the gradient changed at each step.
        moves: s, how the parameters moved at each step.
        inverses: 1 / (y s) for each step.
        scale: what H is a multiple of the identity by before the first of these steps.
    """
    direction = -grad
    weights: list[Tensor] = []
    for change, move, inverse in zip(reversed(changes), reversed(moves), reversed(inverses), strict=True):
        weights.append(move.dot(direction) * inverse)
        direction = direction - weights[-1] * change
    direction = direction * scale
    for change, move, inverse, weight in zip(changes, moves, inverses, reversed(weights), strict=True):
        direction = direction + (weight - change.dot(direction) * inverse) * move
    return direction

"""The backward hooks of one call of a module: they see gradients pass its outputs and its inputs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from kadam.autograd import Function
from kadam.ops.creation import zeros
from kadam.recording.modes import is_grad_enabled
from kadam.tensor import Tensor

Gradients = Sequence[Tensor | None]


class BackwardHookFunction(Function):
    """Identity whose backward pass shows the gradients to a callback, which may replace them."""

    @staticmethod
    def forward(
        ctx: Any, seen: Callable[[Gradients], Gradients], materialize: bool, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(materialize)
        ctx.seen = seen
        return tuple(tensor.view_as(tensor) for tensor in tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        return (None, None, *ctx.seen(gradients))


class _Values:
    """The arguments or results of a call: where the tensors stand that take part in the gradient."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.count = len(values)
        tensors = {at: value for at, value in enumerate(values) if isinstance(value, Tensor)}
        self.watched = [at for at, tensor in tensors.items() if tensor.requires_grad and is_grad_enabled()]
        self.constant = {at: (one.shape, one.dtype) for at, one in tensors.items() if at not in self.watched}

    def passed(self, values: tuple[Any, ...], seen: Callable[[Gradients], Gradients], materialize: bool) -> Any:
        """The values, those that take part in the gradient passed through a watched identity."""
        if not self.watched:
            return values
        passed = list(values)
        tensors = BackwardHookFunction.apply(seen, materialize, *(values[at] for at in self.watched))
        for position, tensor in zip(self.watched, tensors, strict=True):
            passed[position] = tensor
        return values._make(passed) if hasattr(values, "_make") else tuple(passed)

    def placed(self, gradients: Gradients) -> tuple[Tensor | None, ...]:
        """Gradients of the watched tensors at their places among all values."""
        places: list[Tensor | None] = [None] * self.count
        for position, gradient in zip(self.watched, gradients, strict=True):
            places[position] = gradient
        return tuple(places)

    def as_many(self, changed: Any, hook: str) -> tuple[Any, ...]:
        """What a hook returned, if it is one gradient for each value.

        Raises:
            RuntimeError: there are more or fewer.
        """
        several: tuple[Any, ...] = changed if isinstance(changed, tuple) else (changed,)
        if len(several) != self.count:
            raise RuntimeError(
                f"Backward {hook}, got {len(several)}, but expected {self.count}. Fix: return one gradient for each "
                "that the hook was given, or None."
            )
        return several

    def chosen(self, gradients: Sequence[Any]) -> list[Any]:
        """Of the gradients of all values, those of the watched tensors."""
        return [gradients[position] for position in self.watched]


class GradientWatch:
    """The backward hooks of one call.

    Args:
        module: is called.
        before: hooks that see the gradients of the outputs.
        after: hooks that see those of the inputs too.
    """

    def __init__(self, module: Any, before: Sequence[Any], after: Sequence[Any]) -> None:
        self.module, self.before, self.after = module, before, after
        self.given = self.result = _Values(())
        self.grad_output: tuple[Tensor | None, ...] | None = None

    def inputs(self, args: tuple[Any, ...]) -> Any:
        """The arguments, watched."""
        self.given = _Values(args)
        return self.given.passed(args, self.gradients_of_inputs, materialize=True)

    def outputs(self, result: Any) -> Any:
        """The result of the forward pass, watched."""
        if not isinstance(result, Tensor | tuple):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors "
                f"but received {type(result)}",
                stacklevel=5,
            )
            self.after = ()
            return result
        several = result if isinstance(result, tuple) else (result,)
        self.result = _Values(several)
        passed = self.result.passed(several, self.gradients_of_outputs, materialize=False)
        if not any(isinstance(one, Tensor) for one in several):
            self.after = ()  # there is nothing to see of what reaches the outputs
        return passed if isinstance(result, tuple) else passed[0]

    def gradients_of_outputs(self, gradients: Gradients) -> Gradients:
        """Show the gradients that reach the outputs; give those to go on with."""
        grad_output = self.result.placed(gradients)
        for hook in self.before:
            changed = hook(self.module, grad_output)
            if changed is not None:
                grad_output = self.result.as_many(changed, "pre hook returned an invalid number of grad_output")
        self.grad_output = grad_output
        if not self.given.watched:
            self._finish_without_inputs()
        return self.result.chosen(grad_output)

    def gradients_of_inputs(self, gradients: Gradients) -> Gradients:
        """Show the gradients that leave by the inputs; give those to go on with."""
        if not self.after:
            return gradients
        if self.grad_output is None:
            raise RuntimeError(
                "Module backward hook for grad_input is called before the grad_output one. This happens because the "
                "gradient in your nn.Module flows to the Module's input without passing through the Module's output. "
                "Make sure that the output depends on the input and that the loss is computed based on the output. "
                "Fix: check that the module's result is computed from its input and reaches the loss."
            )
        places = list(self.given.placed(gradients))
        for position, (shape, dtype) in self.given.constant.items():
            places[position] = zeros(shape, dtype=dtype)
        grad_input = tuple(places)
        for hook in self.after:
            changed = hook(self.module, grad_input, self.grad_output)
            if changed is not None:
                grad_input = self.given.as_many(changed, "hook returned an invalid number of grad_input")
        self.grad_output = None
        return self.given.chosen(grad_input)

    def _finish_without_inputs(self) -> None:
        for hook in self.after:
            changed = hook(self.module, (None,) * self.given.count, self.grad_output)
            if changed is not None and not (isinstance(changed, tuple) and all(one is None for one in changed)):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always return None or None for "
                    "all gradients. Fix: return None from the hook."
                )
        self.grad_output = None

"""The scaling of losses, so that small gradients survive in half precision. As `torch.amp.GradScaler`."""

from __future__ import annotations

import math
import warnings
from enum import Enum
from typing import Any

import numpy as np

from kadam.recording.modes import no_grad
from kadam.recording.tensor import Recorded, read


class _Stage(Enum):
    READY = 0
    UNSCALED = 1
    STEPPED = 2


class GradScaler:
    """Multiplies losses by a factor that grows while gradients are finite, and divides the gradients by it.

    For CUDA, the default, it is switched off, with PyTorch's warning, as there is no GPU: then it changes nothing.

    Args:
        device: "cpu" switches it on.
        init_scale: the factor at first.
        growth_factor: by which it grows after `growth_interval` steps with finite gradients.
        backoff_factor: by which it shrinks after a step without; the optimizer does not take that step.
        growth_interval: see `growth_factor`.
        enabled: whether it does anything.
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        if enabled and str(device).startswith("cuda"):
            warnings.warn("torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling.", stacklevel=2)
            enabled = False
        self._enabled = enabled
        self._scale = float(init_scale)
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._growth_interval, self._growth_tracker = growth_interval, 0
        self._stages: dict[int, _Stage] = {}
        self._finite: dict[int, bool] = {}

    def scale(self, outputs: Any) -> Any:
        """A loss, or a nest of them, times the factor."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Recorded):
            return outputs * self._scale  # type: ignore[operator]
        return type(outputs)(self.scale(one) for one in outputs)

    def unscale_(self, optimizer: Any) -> None:
        """Divide the gradients of an optimizer's parameters by the factor, as before clipping them.

        Raises:
            RuntimeError: they were divided already, or the step was taken.
        """
        if not self._enabled:
            return
        stage = self._stages.get(id(optimizer), _Stage.READY)
        if stage is not _Stage.READY:
            done = "unscale_() has already been called on" if stage is _Stage.UNSCALED else "unscale_() is called after"
            raise RuntimeError(f"{done} this optimizer since the last update(). Fix: one unscale_(), then step().")
        inverse = 1.0 / self._scale
        finite = True
        with no_grad():
            for group in optimizer.param_groups:
                for param in group["params"]:
                    if param.grad is not None:
                        param.grad.mul_(inverse)
                        finite = finite and bool(np.isfinite(read(param.grad)).all())
        self._finite[id(optimizer)] = finite
        self._stages[id(optimizer)] = _Stage.UNSCALED

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """A step of the optimizer, unless a gradient is not finite."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled. Fix: enabled=False.")
        if self._stages.get(id(optimizer)) is _Stage.STEPPED:
            raise RuntimeError("step() has already been called since the last update(). Fix: call update() after it.")
        if self._stages.get(id(optimizer)) is None:
            self.unscale_(optimizer)
        self._stages[id(optimizer)] = _Stage.STEPPED
        return optimizer.step(*args, **kwargs) if self._finite[id(optimizer)] else None

    def update(self, new_scale: Any = None) -> None:
        """Choose the factor of the next step, or set it."""
        if not self._enabled:
            return
        if new_scale is not None:
            self._scale = float(new_scale)
        elif not all(self._finite.values()):
            self._scale *= self._backoff_factor
            self._growth_tracker = 0
        else:
            self._growth_tracker += 1
            if self._growth_tracker == self._growth_interval:
                grown = self._scale * self._growth_factor
                self._scale, self._growth_tracker = (grown if math.isfinite(grown) else self._scale), 0
        self._stages, self._finite = {}, {}

    def get_scale(self) -> float:
        """The factor; 1 where it is switched off."""
        return self._scale if self._enabled else 1.0

    def get_growth_factor(self) -> float:
        """See the class."""
        return self._growth_factor

    def get_backoff_factor(self) -> float:
        """See the class."""
        return self._backoff_factor

    def get_growth_interval(self) -> int:
        """See the class."""
        return self._growth_interval

    def is_enabled(self) -> bool:
        """Whether it does anything."""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """The factor, and how it changes; nothing where it is switched off."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._growth_tracker,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what `state_dict()` of another one returned."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a disabled instance of GradScaler. "
                "Fix: leave it out."
            )
        self._scale = float(state_dict["scale"])
        self._growth_factor, self._backoff_factor = state_dict["growth_factor"], state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._growth_tracker = state_dict["_growth_tracker"]

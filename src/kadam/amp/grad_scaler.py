"""The scaling of losses against underflow in half precision; switched off, as it is in PyTorch without a GPU."""

from __future__ import annotations

import warnings
from typing import Any

from kadam.errors import UnsupportedError


class GradScaler:
    """Scales a loss and its gradients back. As `torch.amp.GradScaler` without a GPU: it changes nothing.

    Raises:
        UnsupportedError: it is enabled for the CPU.
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
        elif enabled:
            raise UnsupportedError(f"GradScaler({device!r}): the scaling of losses is not there. Fix: enabled=False")

    def scale(self, outputs: Any) -> Any:
        """The loss, as it is."""
        return outputs

    def unscale_(self, optimizer: Any) -> None:
        """Nothing: gradients are not scaled."""

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """A step of the optimizer."""
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale: Any = None) -> None:
        """Nothing: there is no scale."""

    def get_scale(self) -> float:
        """1: see the class."""
        return 1.0

    def is_enabled(self) -> bool:
        """No: see the class."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """Nothing to save."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Nothing to load."""

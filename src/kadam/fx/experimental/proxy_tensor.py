"""As `torch.fx.experimental.proxy_tensor`."""

from __future__ import annotations

from kadam.absent import functions

(make_fx,) = functions("torch.fx.experimental.proxy_tensor", "make_fx", "call the function itself.")


def get_proxy_mode() -> None:
    """None: nothing is being traced."""


__all__ = ["get_proxy_mode", "make_fx"]

"""As `torch.fx.experimental`."""

from kadam.fx.experimental import proxy_tensor

__all__ = ["proxy_tensor"]

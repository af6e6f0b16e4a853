"""Mixed precision. As `torch.amp`."""

from kadam import missing
from kadam.amp.autocast import autocast, is_autocast_available
from kadam.amp.custom import custom_bwd, custom_fwd
from kadam.amp.grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]

missing.install(__name__)

"""Whether gradients are recorded. As `torch.autograd.grad_mode`."""

from kadam.recording.modes import enable_grad, inference_mode, no_grad, set_grad_enabled

__all__ = ["enable_grad", "inference_mode", "no_grad", "set_grad_enabled"]

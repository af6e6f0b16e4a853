"""`torch.utils`: what stands around training; the data room above all."""

from kadam.utils import checkpoint, data

__all__ = ["checkpoint", "data"]

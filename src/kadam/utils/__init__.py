"""`torch.utils`: what stands around training; the data room above all."""

from kadam.utils import data

__all__ = ["data"]

"""`torch.utils`: what stands around training; the data room above all."""

from kadam import missing
from kadam.utils import checkpoint, data

__all__ = ["checkpoint", "data"]

missing.install(__name__)

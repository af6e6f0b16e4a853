"""What stands in for `torchvision` in `kadam run`: datasets on the disk, transforms, networks, pictures of tensors."""

from kadam.vision import datasets, io, models, ops, transforms, utils

__version__ = "0.28.0+kadam0.1.0"

__all__ = ["datasets", "io", "models", "ops", "transforms", "utils"]

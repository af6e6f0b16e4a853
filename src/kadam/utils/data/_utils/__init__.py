"""The name by which older libraries know what makes batches. As `torch.utils.data._utils`."""

from kadam.utils.data._utils import collate

__all__ = ["collate"]

"""What stands around training; the data room above all. As `torch.utils`."""

from kadam import missing
from kadam.utils import checkpoint, data, hooks

__all__ = ["checkpoint", "data", "hooks"]

missing.install(__name__, {"kadam.utils": "benchmark dlpack flop_counter model_zoo tensorboard"})

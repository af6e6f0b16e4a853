"""Files that TensorBoard shows. As `torch.utils.tensorboard`; TensorBoard itself need not be installed."""

from kadam.utils.tensorboard.writer import SummaryWriter

__all__ = ["SummaryWriter"]

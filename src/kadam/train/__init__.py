"""The whole loop automated: `Trainer` for models, `kadam train` for tables, estimators for scikit-learn."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kadam.train.callbacks import Callback
    from kadam.train.checkpoints import CheckpointWarning, ResumeError
    from kadam.train.divergence import NonFiniteLoss
    from kadam.train.estimators import KadamClassifier, KadamRegressor
    from kadam.train.history import History
    from kadam.train.metrics import METRICS, Metric
    from kadam.train.tensorboard import TensorBoard
    from kadam.train.trainer import Trainer

__all__ = [
    "METRICS", "Callback", "CheckpointWarning", "History", "KadamClassifier", "KadamRegressor", "Metric",
    "NonFiniteLoss", "ResumeError", "TensorBoard", "Trainer",
]  # fmt: skip

# Loaded when they are first asked for: the command line need not load a trainer, nor a trainer scikit-learn.
_ROOMS = {
    "callbacks": "Callback",
    "checkpoints": "CheckpointWarning ResumeError",
    "divergence": "NonFiniteLoss",
    "estimators": "KadamClassifier KadamRegressor",
    "history": "History",
    "metrics": "METRICS Metric",
    "tensorboard": "TensorBoard",
    "trainer": "Trainer",
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)

"""Optimizers, and schedules of their learning rates. As `torch.optim`."""

from typing import TYPE_CHECKING

from kadam import missing
from kadam.optim.adadelta import Adadelta as Adadelta
from kadam.optim.adafactor import Adafactor as Adafactor
from kadam.optim.adagrad import Adagrad as Adagrad
from kadam.optim.adam import Adam as Adam
from kadam.optim.adamax import Adamax as Adamax
from kadam.optim.adamw import AdamW as AdamW
from kadam.optim.asgd import ASGD as ASGD
from kadam.optim.lbfgs import LBFGS as LBFGS
from kadam.optim.muon import Muon as Muon
from kadam.optim.nadam import NAdam as NAdam
from kadam.optim.optimizer import Optimizer as Optimizer
from kadam.optim.radam import RAdam as RAdam
from kadam.optim.rmsprop import RMSprop as RMSprop
from kadam.optim.rprop import Rprop as Rprop
from kadam.optim.sgd import SGD as SGD
from kadam.optim.sparse_adam import SparseAdam as SparseAdam

if TYPE_CHECKING:
    from kadam.optim import lr_scheduler as lr_scheduler
    from kadam.optim import swa_utils as swa_utils

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SparseAdam",
    "lr_scheduler",
    "swa_utils",
]

missing.install(__name__, {"kadam.optim": "lr_scheduler swa_utils"})

"""Schedules of the learning rate. As `torch.optim.lr_scheduler`."""

from kadam import missing
from kadam.optim.lr_scheduler.base import LRScheduler as LRScheduler
from kadam.optim.lr_scheduler.base import _LRScheduler as _LRScheduler
from kadam.optim.lr_scheduler.compose import ChainedScheduler as ChainedScheduler
from kadam.optim.lr_scheduler.compose import SequentialLR as SequentialLR
from kadam.optim.lr_scheduler.cosine import CosineAnnealingLR as CosineAnnealingLR
from kadam.optim.lr_scheduler.cosine import CosineAnnealingWarmRestarts as CosineAnnealingWarmRestarts
from kadam.optim.lr_scheduler.cycle import CyclicLR as CyclicLR
from kadam.optim.lr_scheduler.cycle import OneCycleLR as OneCycleLR
from kadam.optim.lr_scheduler.factor import ConstantLR as ConstantLR
from kadam.optim.lr_scheduler.factor import ExponentialLR as ExponentialLR
from kadam.optim.lr_scheduler.factor import LambdaLR as LambdaLR
from kadam.optim.lr_scheduler.factor import LinearLR as LinearLR
from kadam.optim.lr_scheduler.factor import MultiplicativeLR as MultiplicativeLR
from kadam.optim.lr_scheduler.factor import MultiStepLR as MultiStepLR
from kadam.optim.lr_scheduler.factor import PolynomialLR as PolynomialLR
from kadam.optim.lr_scheduler.factor import StepLR as StepLR
from kadam.optim.lr_scheduler.plateau import ReduceLROnPlateau as ReduceLROnPlateau

missing.install(__name__)

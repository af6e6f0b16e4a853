"""Functions of neural networks, as `torch.nn.functional`: each that is a layer is one recorded call."""

from kadam.nn.functional.activation import *  # noqa: F403
from kadam.nn.functional.linear import bilinear, linear
from kadam.nn.functional.softmax import gumbel_softmax, log_softmax, softmax, softmin

"""Functions of neural networks, as `torch.nn.functional`: each that is a layer is one recorded call."""

from kadam.nn.functional.activation import *  # noqa: F403
from kadam.nn.functional.adaptive_pooling import *  # noqa: F403
from kadam.nn.functional.attention import *  # noqa: F403
from kadam.nn.functional.class_loss import *  # noqa: F403
from kadam.nn.functional.convolution import *  # noqa: F403
from kadam.nn.functional.ctc import *  # noqa: F403
from kadam.nn.functional.distance import *  # noqa: F403
from kadam.nn.functional.dropout import *  # noqa: F403
from kadam.nn.functional.embedding import *  # noqa: F403
from kadam.nn.functional.embedding_bag import *  # noqa: F403
from kadam.nn.functional.fractional_pooling import *  # noqa: F403
from kadam.nn.functional.interpolation import *  # noqa: F403
from kadam.nn.functional.likelihood_loss import *  # noqa: F403
from kadam.nn.functional.linear import *  # noqa: F403
from kadam.nn.functional.margin_loss import *  # noqa: F403
from kadam.nn.functional.multi_head import *  # noqa: F403
from kadam.nn.functional.normalization import *  # noqa: F403
from kadam.nn.functional.padding import *  # noqa: F403
from kadam.nn.functional.pooling import *  # noqa: F403
from kadam.nn.functional.recurrent import *  # noqa: F403
from kadam.nn.functional.regression_loss import *  # noqa: F403
from kadam.nn.functional.sampling import *  # noqa: F403
from kadam.nn.functional.softmax import *  # noqa: F403
from kadam.nn.functional.unpooling import *  # noqa: F403
from kadam.nn.functional.vision import *  # noqa: F403
from kadam.nn.functional.with_indices import *  # noqa: F403
from kadam.ops.out import give_out as _give_out

_give_out(globals(), "avg_pool2d avg_pool3d gelu hardshrink linear logsigmoid softplus softshrink")

"""What is done to the parameters and gradients of modules. As `torch.nn.utils`."""

from kadam import missing
from kadam.nn.utils import parametrizations as parametrizations
from kadam.nn.utils import parametrize as parametrize
from kadam.nn.utils import rnn as rnn
from kadam.nn.utils.clip_grad import clip_grad_norm as clip_grad_norm
from kadam.nn.utils.clip_grad import clip_grad_norm_ as clip_grad_norm_
from kadam.nn.utils.clip_grad import clip_grad_value_ as clip_grad_value_
from kadam.nn.utils.clip_grad import clip_grads_with_norm_ as clip_grads_with_norm_
from kadam.nn.utils.clip_grad import get_total_norm as get_total_norm
from kadam.nn.utils.convert_parameters import parameters_to_vector as parameters_to_vector
from kadam.nn.utils.convert_parameters import vector_to_parameters as vector_to_parameters
from kadam.nn.utils.fusion import fuse_conv_bn_eval as fuse_conv_bn_eval
from kadam.nn.utils.fusion import fuse_conv_bn_weights as fuse_conv_bn_weights
from kadam.nn.utils.fusion import fuse_linear_bn_eval as fuse_linear_bn_eval
from kadam.nn.utils.fusion import fuse_linear_bn_weights as fuse_linear_bn_weights
from kadam.nn.utils.initialization import skip_init as skip_init
from kadam.nn.utils.spectral_norm import remove_spectral_norm as remove_spectral_norm
from kadam.nn.utils.spectral_norm import spectral_norm as spectral_norm
from kadam.nn.utils.weight_norm import remove_weight_norm as remove_weight_norm
from kadam.nn.utils.weight_norm import weight_norm as weight_norm

missing.install(__name__, {"kadam.nn.utils": "prune stateless"})

"""Kadam: trains neural networks; runs PyTorch scripts unchanged. `import kadam as torch` works."""

import math
import sys
from typing import TYPE_CHECKING

from kadam import autograd, linalg, missing, namespace, nn, optim, random
from kadam.anomaly import is_anomaly_check_nan_enabled, is_anomaly_enabled
from kadam.autograd import enable_grad, inference_mode, no_grad, set_grad_enabled
from kadam.device import device
from kadam.dtypes import (
    bfloat16,
    complex64,
    complex128,
    dtype,
    finfo,
    float8_e4m3fn,
    float8_e4m3fnuz,
    float8_e5m2,
    float8_e5m2fnuz,
    float8_e8m0fnu,
    float16,
    float32,
    float64,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from kadam.dtypes import bool_ as bool  # PyTorch's names shadow the builtins here, as they do in torch
from kadam.dtypes import complex64 as cfloat
from kadam.dtypes import complex128 as cdouble
from kadam.dtypes import float16 as half
from kadam.dtypes import float32 as float
from kadam.dtypes import float64 as double
from kadam.dtypes import int16 as short
from kadam.dtypes import int32 as int
from kadam.dtypes import int64 as long
from kadam.layouts import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    layout,
    memory_format,
    preserve_format,
    sparse_coo,
    sparse_csr,
    strided,
)
from kadam.legacy import legacy, set_default_tensor_type
from kadam.namespace import *  # noqa: F403
from kadam.printing import set_printoptions
from kadam.recording.generator import Generator, default_generator
from kadam.recording.modes import is_grad_enabled, is_inference_mode_enabled
from kadam.recording.spec import Size
from kadam.tensor import Tensor

if TYPE_CHECKING:  # the names of _LATER
    from kadam import (
        accelerator,
        amp,
        backends,
        compiler,
        cpu,
        cuda,
        distributed,
        distributions,
        fft,
        func,
        futures,
        fx,
        hub,
        jit,
        library,
        masked,
        mps,
        multiprocessing,
        onnx,
        overrides,
        profiler,
        serialization,
        signal,
        sparse,
        special,
        testing,
        types,
        utils,
        version,
        xpu,
    )
    from kadam.amp.autocast import (
        autocast,
        get_autocast_cpu_dtype,
        get_autocast_dtype,
        is_autocast_available,
        is_autocast_cpu_enabled,
        is_autocast_enabled,
    )
    from kadam.func.vmap import vmap
    from kadam.ops.spectral import istft, stft
    from kadam.serialization import load, save
    from kadam.signal.windows import bartlett_window, blackman_window, hamming_window, hann_window, kaiser_window
    from kadam.sparse import smm, sparse_coo_tensor, sparse_csr_tensor, spmm

e, inf, nan, pi = math.e, math.inf, math.nan, math.pi
newaxis = None
FloatTensor, DoubleTensor, HalfTensor, BFloat16Tensor = (
    legacy(record) for record in (float32, float64, float16, bfloat16)
)
LongTensor, IntTensor, ShortTensor, CharTensor, ByteTensor, BoolTensor = (
    legacy(record) for record in (int64, int32, int16, int8, uint8, bool)
)
torch = sys.modules[__name__]  # PyTorch has its own name inside, and some write torch.torch.Tensor
__version__ = "2.13.0+kadam0.1.0"  # the PyTorch whose conventions are kept, and Kadam's own

__all__ = [
    *namespace.__all__,
    "onnx",
    "futures",
    "fx",
    "hub",
    "library",
    "overrides",
    "types",
    "is_autocast_enabled",
    "is_autocast_cpu_enabled",
    "is_autocast_available",
    "get_autocast_dtype",
    "get_autocast_cpu_dtype",
    "xpu",
    "version",
    "profiler",
    "multiprocessing",
    "mps",
    "jit",
    "distributed",
    "cpu",
    "compiler",
    "accelerator",
    "BoolTensor",
    "DoubleTensor",
    "BFloat16Tensor",
    "ByteTensor",
    "CharTensor",
    "FloatTensor",
    "HalfTensor",
    "Generator",
    "IntTensor",
    "LongTensor",
    "ShortTensor",
    "set_default_tensor_type",
    "Size",
    "Tensor",
    "amp",
    "autocast",
    "autograd",
    "backends",
    "bartlett_window",
    "bfloat16",
    "blackman_window",
    "bool",
    "cdouble",
    "cfloat",
    "channels_last",
    "channels_last_3d",
    "complex128",
    "complex64",
    "contiguous_format",
    "cuda",
    "distributions",
    "default_generator",
    "device",
    "double",
    "dtype",
    "e",
    "enable_grad",
    "fft",
    "finfo",
    "float",
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e5m2",
    "float8_e5m2fnuz",
    "float8_e8m0fnu",
    "float16",
    "float32",
    "float64",
    "func",
    "half",
    "hamming_window",
    "hann_window",
    "iinfo",
    "inf",
    "inference_mode",
    "int",
    "int16",
    "int32",
    "int64",
    "int8",
    "is_anomaly_check_nan_enabled",
    "is_anomaly_enabled",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "istft",
    "kaiser_window",
    "layout",
    "linalg",
    "load",
    "long",
    "memory_format",
    "masked",
    "nan",
    "newaxis",
    "nn",
    "no_grad",
    "optim",
    "pi",
    "preserve_format",
    "random",
    "save",
    "serialization",
    "set_grad_enabled",
    "set_printoptions",
    "signal",
    "short",
    "smm",
    "sparse",
    "sparse_coo",
    "sparse_coo_tensor",
    "sparse_csr",
    "sparse_csr_tensor",
    "spmm",
    "special",
    "stft",
    "strided",
    "testing",
    "uint16",
    "uint32",
    "uint64",
    "uint8",
    "utils",
    "vmap",
]

# Loaded when they are first asked for: few programs need them all.
_LATER = {
    "kadam": (
        "accelerator amp backends compiler cpu cuda distributed distributions fft func functional futures fx hub jit "
        "library masked mps multiprocessing onnx overrides profiler quasirandom serialization signal sparse "
        "special testing types utils version xpu _C __config__ _dynamo _utils"
    ),
    "kadam._C": "PyTorchFileReader PyTorchFileWriter",
    "kadam.anomaly": "set_anomaly_enabled",
    "kadam.amp.autocast": (
        "autocast get_autocast_cpu_dtype get_autocast_dtype is_autocast_available is_autocast_cpu_enabled "
        "is_autocast_enabled"
    ),
    "kadam.amp.grad_scaler": "GradScaler",
    "kadam.control": (
        "SymBool SymFloat SymInt cond sym_float sym_int sym_ite sym_max sym_min sym_not sym_sqrt sym_sum while_loop"
    ),
    "kadam.cuda": "AcceleratorError OutOfMemoryError",
    "kadam.func": "vmap",
    "kadam.futures": "Future",
    "kadam.jit": "ScriptModule",
    "kadam.nn.functional.by_position": (
        "adaptive_max_pool1d affine_grid_generator alpha_dropout_ batch_norm binary_cross_entropy_with_logits conv_tbc "
        "cosine_embedding_loss ctc_loss dropout_ embedding_renorm_ feature_alpha_dropout_ feature_dropout gru gru_cell "
        "hinge_embedding_loss instance_norm kl_div lstm lstm_cell norm_except_dim rnn_relu rnn_relu_cell rnn_tanh "
        "rnn_tanh_cell"
    ),
    "kadam.ops.foreach": (
        "_foreach_abs _foreach_abs_ _foreach_acos _foreach_acos_ _foreach_add _foreach_add_ _foreach_addcdiv "
        "_foreach_addcdiv_ _foreach_addcmul _foreach_addcmul_ _foreach_asin _foreach_asin_ _foreach_atan "
        "_foreach_atan_ _foreach_ceil _foreach_ceil_ _foreach_clamp_max _foreach_clamp_max_ _foreach_clamp_min "
        "_foreach_clamp_min_ _foreach_clone _foreach_copy_ _foreach_cos _foreach_cos_ _foreach_cosh "
        "_foreach_cosh_ _foreach_div _foreach_div_ _foreach_erf _foreach_erf_ _foreach_erfc _foreach_erfc_ "
        "_foreach_exp _foreach_exp_ _foreach_expm1 _foreach_expm1_ _foreach_floor _foreach_floor_ _foreach_frac "
        "_foreach_frac_ _foreach_lerp _foreach_lerp_ _foreach_lgamma _foreach_lgamma_ _foreach_log _foreach_log10 "
        "_foreach_log10_ _foreach_log1p _foreach_log1p_ _foreach_log2 _foreach_log2_ _foreach_log_ _foreach_max "
        "_foreach_maximum _foreach_maximum_ _foreach_minimum _foreach_minimum_ _foreach_mm _foreach_mul "
        "_foreach_mul_ _foreach_neg _foreach_neg_ _foreach_norm _foreach_pow _foreach_pow_ _foreach_powsum "
        "_foreach_reciprocal _foreach_reciprocal_ _foreach_round _foreach_round_ _foreach_rsqrt _foreach_rsqrt_ "
        "_foreach_sigmoid _foreach_sigmoid_ _foreach_sign _foreach_sign_ _foreach_sin _foreach_sin_ _foreach_sinh "
        "_foreach_sinh_ _foreach_sqrt _foreach_sqrt_ _foreach_sub _foreach_sub_ _foreach_tan _foreach_tan_ "
        "_foreach_tanh _foreach_tanh_ _foreach_trunc _foreach_trunc_ _foreach_zero_"
    ),
    "kadam.ops.methods": (
        "arccos_ arccosh_ arcsin_ arcsinh_ arctan_ arctanh_ as_strided_ conj_physical_ detach_ frobenius_norm gcd_ i0_ "
        "indices_copy lcm_ ldexp_ nuclear_norm slice_copy values_copy"
    ),
    "kadam.ops.spectral": "istft stft",
    "kadam.ops.storage": "TypedStorage UntypedStorage is_storage",
    "kadam.serialization": "load save",
    "kadam.settings": (
        "get_deterministic_debug_mode is_deterministic_algorithms_warn_only_enabled is_warn_always_enabled "
        "set_deterministic_debug_mode"
    ),
    "kadam.sparse": "smm sparse_coo_tensor sparse_csr_tensor spmm",
    "kadam.signal.windows": "bartlett_window blackman_window hamming_window hann_window kaiser_window",
}
missing.install(__name__, _LATER)

"""Special functions under the names of `torch.special`."""

from kadam import missing
from kadam.ops.pointwise import (
    digamma,
    erf,
    erfc,
    erfinv,
    exp2,
    expm1,
    log1p,
    logit,
    polygamma,
    round,
    sinc,
    xlogy,
)
from kadam.ops.pointwise import lgamma as gammaln
from kadam.ops.pointwise import sigmoid as expit
from kadam.ops.reduce import logsumexp

psi = digamma

__all__ = [
    "digamma", "erf", "erfc", "erfinv", "exp2", "expit", "expm1", "gammaln", "log1p", "logit", "logsumexp", "polygamma",
    "psi", "round", "sinc", "xlogy",
]  # fmt: skip

missing.install(__name__)

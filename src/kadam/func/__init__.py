"""Functions of functions, as `torch.func`: derivatives, batches, modules called with given parameters."""

from kadam import missing
from kadam.func.call import functional_call, stack_module_state
from kadam.func.derivatives import grad, grad_and_value, hessian, jacfwd, jacrev, vjp
from kadam.func.vmap import vmap

__all__ = [
    "functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "stack_module_state", "vjp", "vmap",
]  # fmt: skip

missing.install(__name__)

"""Functions of functions, as `torch.func`: derivatives, batches, modules called with given parameters."""

from kadam import missing
from kadam.func.call import functional_call, functionalize, replace_all_batch_norm_modules_, stack_module_state
from kadam.func.derivatives import grad, grad_and_value, hessian, jacfwd, jacrev, jvp, linearize, vjp
from kadam.func.vmap import vmap

__all__ = [
    "functional_call", "functionalize", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize",
    "replace_all_batch_norm_modules_", "stack_module_state", "vjp", "vmap",
]  # fmt: skip

missing.install(__name__)

"""Weights divided by their largest singular value, by power iteration. As `torch.nn.utils.spectral_norm`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from kadam.autograd import no_grad
from kadam.nn.functional import normalize
from kadam.nn.modules import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from kadam.nn.parameter import Parameter
from kadam.ops.contract import dot, mv

if TYPE_CHECKING:
    from kadam.nn.modules.module import Module
    from kadam.tensor import Tensor

Kind = TypeVar("Kind", bound="Module")


def output_axis(module: Module) -> int:
    """Along which axis of its weight a module's outputs stand."""
    return 1 if isinstance(module, ConvTranspose1d | ConvTranspose2d | ConvTranspose3d) else 0


def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """A weight as a matrix, with one row for each output."""
    if dim:
        weight = weight.permute(dim, *[axis for axis in range(weight.dim()) if axis != dim])
    return weight.reshape(weight.shape[0], -1)


def draw_vector(weight: Tensor, size: int, eps: float) -> Tensor:
    """A random direction."""
    return normalize(weight.new_empty(size).normal_(0, 1), dim=0, eps=eps)


class SpectralNorm:
    """Recomputes a weight, and in training its largest singular value: a hook before the forward pass."""

    def __init__(self, name: str, n_power_iterations: int, dim: int, eps: float) -> None:
        if n_power_iterations <= 0:
            raise ValueError(
                "spectral_norm: Expected n_power_iterations to be positive, but got "
                f"n_power_iterations={n_power_iterations}. Fix: n_power_iterations=1."
            )
        self.name, self.n_power_iterations, self.dim, self.eps = name, n_power_iterations, dim, eps

    def compute_weight(self, module: Module, do_power_iteration: bool) -> Any:
        """The weight divided by its largest singular value."""
        weight = getattr(module, self.name + "_orig")
        u, v = getattr(module, self.name + "_u"), getattr(module, self.name + "_v")
        matrix = as_matrix(weight, self.dim)
        if do_power_iteration:
            with no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(normalize(mv(matrix.t(), u), dim=0, eps=self.eps))
                    u.copy_(normalize(mv(matrix, v), dim=0, eps=self.eps))
                u, v = u.clone(), v.clone()
        return weight / dot(u, mv(matrix, v))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module, module.training))


def spectral_norm(
    module: Kind, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Kind:
    """Divide the parameter `name`, from now on `name_orig`, by its largest singular value.

    Source: T. Miyato et al., "Spectral Normalization for Generative Adversarial Networks" (2018).

    Args:
        module: is changed, and returned.
        name: of the parameter.
        n_power_iterations: in each call of the training mode.
        eps: below which lengths count as this.
        dim: the axis of the outputs.

    Raises:
        RuntimeError: it is done already.
    """
    if any(isinstance(hook, SpectralNorm) and hook.name == name for hook in module._forward_pre_hooks.values()):
        raise RuntimeError(
            f"Cannot register two spectral_norm hooks on the same parameter {name}. Fix: apply it once, or "
            "remove_spectral_norm first."
        )
    hook = SpectralNorm(name, n_power_iterations, output_axis(module) if dim is None else dim, eps)
    weight = getattr(module, name)
    rows, columns = as_matrix(weight.detach(), hook.dim).shape
    u, v = draw_vector(weight, rows, eps), draw_vector(weight, columns, eps)
    del module._parameters[name]
    module.register_parameter(name + "_orig", weight)
    setattr(module, name, weight.data)
    module.register_buffer(name + "_u", u)
    module.register_buffer(name + "_v", v)
    module.register_forward_pre_hook(hook)
    return module


def remove_spectral_norm(module: Kind, name: str = "weight") -> Kind:
    """Make the divided weight the parameter. As `torch.nn.utils.remove_spectral_norm`.

    Raises:
        ValueError: `name` is not normalised.
    """
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, SpectralNorm) and hook.name == name:
            weight = hook.compute_weight(module, do_power_iteration=False).detach()
            delattr(module, name)
            del module._buffers[name + "_u"], module._buffers[name + "_v"], module._parameters[name + "_orig"]
            module.register_parameter(name, Parameter(weight))
            del module._forward_pre_hooks[key]
            return module
    raise ValueError(
        f"spectral_norm of '{name}' not found in {module}. Fix: name a parameter that spectral_norm was applied to."
    )

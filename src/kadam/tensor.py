"""Tensor: the state of a recorded tensor with PyTorch's methods, each an operation of one of the `ops` rooms."""

from __future__ import annotations

import builtins
import numbers
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from kadam import anomaly, dtypes, layouts, printing
from kadam.device import cpu, device, meta_device
from kadam.errors import (
    AxisError,
    DTypeError,
    GradientError,
    InPlaceError,
    KadamError,
    OperandError,
    RangeError,
    ShapeError,
)
from kadam.hot import hot, slotted
from kadam.linalg import namespace as algebra
from kadam.ops import (
    arithmetic,
    combine,
    compare,
    contract,
    convert,
    copies,
    creation,
    fill,
    incomplete_gamma,
    indexing,
    places,
    pointwise,
    query,
    random,
    reduce,
    shape,
    slicing,
    softmax,
    special,
    statistics,
    strided,
)
from kadam.ops import (
    gather as gathering,
)
from kadam.ops import (
    index_put as putting,
)
from kadam.ops import (
    numbers as parts,
)
from kadam.ops import (
    sort as sorting,
)
from kadam.ops import (
    storage as memories,
)
from kadam.ops.hashing import hash_tensor
from kadam.ops.histogram import histogram
from kadam.ops.require import ArgumentError
from kadam.recording import backprop, blame, interruptions, layout, lineage, memory
from kadam.recording.duplicate import duplicate, packed, unpacked
from kadam.recording.hooks import Handle, register_after_hook, register_hook, retain_grad
from kadam.recording.in_place import in_place
from kadam.recording.spec import Size
from kadam.recording.step import state
from kadam.recording.succession import take_memory
from kadam.recording.tensor import (
    Recorded,
    detached,
    from_array,
    made,
    overwrite,
    read,
    requires_grad,
    set_requires_grad,
    share_memory_with,
)
from kadam.recording.view import up_to_date
from kadam.shapes import axis_of


@slotted
class Tensor(Recorded):
    """A multi-dimensional array of one element type, as `torch.Tensor`."""

    def __new__(cls, *data: Any, dtype: dtypes.dtype | None = None, device: Any = None) -> Tensor:
        """A float tensor of the given sizes, or of the given nested sequence. As `torch.Tensor(...)`."""
        if cls is not Tensor:
            derived: Tensor = convert.as_subclass(Tensor(*data, dtype=dtype, device=device), cls)
            return derived
        if len(data) == 1 and not isinstance(data[0], numbers.Integral):
            if isinstance(data[0], Size):
                return creation.empty(data[0])
            if isinstance(data[0], Tensor) and data[0].dtype is dtypes.default_float():
                return data[0].detach()
            return creation.tensor(data[0], dtype=dtype or dtypes.default_float())
        return creation.empty(data or (0,), dtype=dtype)

    # --- what is known without values ---------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether gradients are computed for this tensor."""
        return requires_grad(self)

    @requires_grad.setter
    def requires_grad(self, flag: bool) -> None:
        if not isinstance(flag, builtins.bool):
            raise RangeError(
                f"requires_grad must be a bool, not {builtins.type(flag).__name__}. Fix: x.requires_grad = True."
            )
        set_requires_grad(self, flag)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set `requires_grad` in place."""
        if not isinstance(requires_grad, builtins.bool):
            raise OperandError(
                "requires_grad_(): argument 'requires_grad' (position 1) must be bool, not "
                f"{builtins.type(requires_grad).__name__}. Fix: x.requires_grad_(True)."
            )
        set_requires_grad(self, requires_grad)
        return self

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward passes have accumulated; None before the first."""
        if self._grad is None and not self._retains and not self.is_leaf:
            _warn_of_no_leaf()
        return self._grad  # type: ignore[return-value]

    @grad.setter
    def grad(self, gradient: Tensor | None) -> None:
        if gradient is not None:
            if gradient is self:
                raise GradientError("grad: can't assign Variable as its own grad. Fix: x.grad = y.clone().")
            if not isinstance(gradient, Tensor) and not getattr(gradient, "is_sparse", False):
                raise OperandError(
                    f"grad: assigned grad expected to be a Tensor or None but got {type(gradient).__name__}. Fix: "
                    "x.grad = None, or a tensor of its shape."
                )
            if gradient.shape != self.shape:
                raise ShapeError(
                    f"grad: assigned grad has data of a different size: the tensor is {self._spec.type}, the gradient "
                    f"{list(gradient.shape)}. Fix: give a gradient of shape {list(self._spec.shape)}."
                )
            if gradient.dtype is not self._spec.dtype:
                raise DTypeError(
                    f"grad: attempting to assign a gradient with dtype {gradient.dtype} to a tensor with dtype "
                    f"{self.dtype}. Fix: gradient.to({self.dtype})."
                )
            if not isinstance(gradient, Tensor):
                from kadam.optim.remembered import note_sparse

                note_sparse(self)
        self._grad = gradient

    @property
    def _version(self) -> int:
        """How often its memory was changed in place.

        Raises:
            GradientError: it is an inference tensor.
        """
        if self._spec.inference and not self._counted:
            raise GradientError(
                "Inference tensors do not track version counter. Fix: x.clone() outside of inference mode."
            )
        return (self.root if self._tracked else self)._changes

    @property
    def grad_fn(self) -> lineage.GradFn | None:
        """What made this tensor, as far as gradients are concerned; None for a leaf."""
        return lineage.grad_fn_of(self)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._spec.shape)

    def dim(self) -> int:
        """The number of axes."""
        return len(self._spec.shape)

    ndimension = dim

    def size(self, dim: int | None = None) -> Any:
        """The sizes of the axes, or of one."""
        try:
            return self._spec.shape if dim is None else self._spec.shape[dim]
        except (IndexError, TypeError):
            raise _no_axis(dim, self.ndim, "size") from None

    def numel(self) -> int:
        """The number of elements."""
        return self._spec.type.elements

    nelement = numel

    def element_size(self) -> int:
        """The size of an element, in bytes."""
        return self._spec.dtype.itemsize

    @property
    def itemsize(self) -> int:
        """The size of an element, in bytes."""
        return self._spec.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """The size of all elements, in bytes."""
        return self._spec.type.size_bytes

    @property
    def device(self) -> device:
        """Where the tensor is: on the CPU, or on `meta`, without values."""
        return meta_device if self._meta else cpu

    def get_device(self) -> int:
        """The number of the device; -1 for the CPU."""
        return -1

    @property
    def layout(self) -> layouts.layout:
        """Kadam's tensors are dense."""
        return layouts.strided

    @property
    def is_cpu(self) -> builtins.bool:
        """Whether it has values."""
        return not self._meta

    @property
    def is_meta(self) -> builtins.bool:
        """Whether it has a type and a shape only."""
        return self._meta

    is_sparse_csr = is_ipu = is_maia = is_mtia = is_vulkan = is_xla = False
    is_cuda = is_sparse = is_quantized = is_mps = is_xpu = is_mkldnn = is_nested = False
    names: tuple[None, ...] = ()
    name: str | None = None
    output_nr = 0

    def _is_view(self) -> builtins.bool:
        return self._base is not None

    def is_floating_point(self) -> bool:
        """Whether the elements are floating-point numbers."""
        return self._spec.dtype.is_floating_point

    def is_complex(self) -> bool:
        """Whether the elements are complex numbers."""
        return self._spec.dtype.is_complex

    def is_signed(self) -> bool:
        """Whether the element type has negative numbers."""
        return self._spec.dtype.is_signed

    is_inference, is_conj = query.is_inference, query.is_conj
    is_neg, is_distributed = query.is_neg, query.is_distributed
    dim_order = query.dim_order

    def stride(self, dim: int | None = None) -> Any:
        """Steps between neighbours along each axis, in elements."""
        strides = layout.strides_of(self)
        try:
            return strides if dim is None else strides[dim]
        except (IndexError, TypeError):
            raise _no_axis(dim, self.ndim, "stride") from None

    def storage_offset(self) -> int:
        """Where in its memory the tensor begins, in elements."""
        return layout.offset_of(self)

    def is_contiguous(self, memory_format: object = None) -> bool:
        """Whether the elements lie in memory in row-major order, or that of a format, without gaps."""
        if memory_format in (layouts.channels_last, layouts.channels_last_3d):
            rank = 4 if memory_format == layouts.channels_last else 5
            return self.ndim == rank and layout.is_channels_last(self)
        return layout.is_contiguous(self)

    def data_ptr(self) -> int:
        """The address of the first element."""
        return int(read(self).__array_interface__["data"][0])

    const_data_ptr = data_ptr

    @property
    def _cdata(self) -> int:
        """A number that no other tensor there is has."""
        return id(self)

    def __delitem__(self, index: Any) -> None:
        raise TypeError("Tensor does not support deleting items. Fix: x[mask], torch.cat([x[:1], x[2:]]).")

    def __len__(self) -> int:
        if not self._spec.shape:
            raise TypeError("len() of a 0-d tensor. Fix: x.item() is its value, x.numel() its count.")
        size: int = self._spec.shape[0]
        return size

    __hash__ = object.__hash__

    # --- values -------------------------------------------------------------------------------------------------

    @hot
    def item(self) -> Any:
        """The value of a tensor of one element, as a Python number.

        Raises:
            ShapeError: it has more or fewer.
        """
        array = read(self)
        if array.size != 1:
            raise _no_scalar(array)
        value = array.item()
        return value if value.__class__ in _PYTHONS_NUMBERS else _python(array)

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers."""
        array = read(self)
        return _python(array) if not array.shape else _widened(array).tolist()

    def numpy(self, *, force: bool = False) -> np.ndarray[Any, Any]:
        """The values as a NumPy array that shares this tensor's memory.

        Raises:
            GradientError: the tensor requires grad, in grad mode (and `force` is off).
            OperandError: it is on the meta device.
        """
        if self._meta:
            raise OperandError(
                "numpy: can't convert meta device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host "
                "memory first. Fix: make it on the CPU; on the meta device it has no values."
            )
        if not force and requires_grad(self) and state.grad:
            raise GradientError(
                "numpy: Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead. Fix: "
                "x.detach().numpy()."
            )
        read(self)
        return share_memory_with(self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        array = self.numpy()
        if dtype is None or array.dtype == dtype:
            return array.copy() if copy else array
        return array.astype(dtype)

    def __dlpack__(self, **options: Any) -> Any:
        return self.numpy().__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.numpy().__dlpack_device__()

    def __array_wrap__(
        self, array: np.ndarray[Any, Any], context: object = None, return_scalar: bool = False
    ) -> Tensor:
        return creation.from_numpy(np.asarray(array))

    def __bool__(self) -> bool:
        array = read(self)
        if array.size != 1:
            kind = "no values" if array.size == 0 else "more than one value"
            raise ShapeError(f"bool: Boolean value of Tensor with {kind} is ambiguous. Fix: x.any() or x.all().")
        return bool(array)

    def __float__(self) -> float:
        return float(self._only())

    def __int__(self) -> int:
        return int(self._only())

    def __complex__(self) -> complex:
        return complex(self._only())

    def _only(self) -> Any:
        if self.numel() != 1:
            raise ArgumentError(
                "item: only one element tensors can be converted to Python scalars. Fix: reduce it first (x.mean()), "
                "or x.tolist()."
            )
        return self.item()

    def __index__(self) -> int:
        if self._spec.dtype.category > dtypes.INTEGER or self.numel() != 1:
            raise TypeError(
                "only integer tensors of a single element can be converted to an index. Fix: x.long().item(), of a "
                "tensor of one element."
            )
        return int(self.item())

    def __contains__(self, element: Any) -> bool:
        if not isinstance(element, Tensor | numbers.Number):
            raise RangeError(
                "Tensor.__contains__ only supports Tensor or scalar, but you passed in a "
                f"{builtins.type(element)}. Fix: ask for a number."
            )
        value = read(element) if isinstance(element, Tensor) else element
        return bool((read(self) == value).any())

    def __iter__(self) -> Iterator[Tensor]:
        if not self._spec.shape:
            raise TypeError("iteration over a 0-d tensor. Fix: x.item() is its value; x.unsqueeze(0) can be iterated.")
        return iter(self.unbind(0))

    def __repr__(self, *, tensor_contents: object = None) -> str:
        try:
            spec = up_to_date(self)._spec
            name = spec.grad_name if spec.requires_grad else None
        except InPlaceError:  # PyTorch's word for a view of which the derivative cannot be told
            spec, name = self._spec, "Invalid"
        if self._meta:
            return printing.format_without_values(spec.shape, spec.dtype, spec.requires_grad, spec.grad_name)
        return printing.format_tensor(
            read(self),
            spec.dtype,
            requires_grad=requires_grad(self),
            grad_fn=name,
        )

    def __format__(self, spec: str) -> str:
        if not self._spec.shape and not spec.endswith("}"):
            return format(self.item(), spec)
        return object.__format__(self, spec)

    # --- gradients ----------------------------------------------------------------------------------------------

    @hot
    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Sequence[Tensor] | Tensor | None = None,
    ) -> None:
        """Add the gradient of this tensor to the `.grad` of the leaves that it depends on.

        Raises:
            GradientError: it has no gradient, its graph was freed, or it is no scalar and `gradient` is missing.
        """
        plain = gradient is None and inputs is None and not create_graph and not retain_graph
        if not (plain and not anomaly.mode.on and backprop.backward_as_before(self)):
            _backward(self, gradient, retain_graph, create_graph, inputs)

    def detach(self) -> Tensor:
        """A tensor that shares this one's memory and takes part in no gradient."""
        return detached(self)

    def detach_(self) -> Tensor:
        """Take this tensor out of the graph that made it."""
        memory.detach_in_place(self)
        return self

    @property
    def data(self) -> Tensor:
        """The same memory, changes of which autograd does not see."""
        return detached(self, tracked=False)

    @data.setter
    def data(self, other: Tensor) -> None:
        if not isinstance(other, Tensor):
            raise OperandError(
                f"data: Variable data has to be a tensor, but got {builtins.type(other).__name__}. Fix: "
                "x.data = torch.tensor(value), or x.data.fill_(value)."
            )
        take_memory(self, other)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Handle:
        """Call `hook` with this tensor's gradient whenever it is computed; it may return another."""
        return register_hook(self, hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> Handle:
        """Call `hook` with this leaf whenever its `.grad` has been accumulated."""
        return register_after_hook(self, hook)

    def pin_memory(self, device: Any = None) -> Tensor:
        """This tensor: Kadam's memory is the CPU's."""
        return self

    def is_pinned(self, device: Any = None) -> Any:
        """No: there is no other device to pin memory for."""
        return False

    def is_shared(self) -> Any:
        """No: other processes do not see it."""
        return False

    def share_memory_(self) -> Tensor:
        """This tensor: threads see each other's memory."""
        return self

    def retain_grad(self) -> None:
        """Keep the gradient of this tensor, although it is no leaf, in `.grad`."""
        retain_grad(self)

    @property
    def retains_grad(self) -> bool:
        """Whether `retain_grad` was called on this non-leaf."""
        return self._retains

    # --- copies -------------------------------------------------------------------------------------------------

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if id(self) in memo:
            known: Tensor = memo[id(self)]
            return known
        if not self.is_leaf:
            raise GradientError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the "
                "moment. Fix: detach() it first."
            )
        copy = duplicate(self, memo)
        copy.requires_grad = self._spec.requires_grad
        copy.__class__ = type(self)
        memo[id(self)] = copy
        if self._grad is not None:
            copy.grad = self._grad.__deepcopy__(memo)  # type: ignore[attr-defined]
        for name, value in vars(self).items():
            if not name.startswith("_"):
                setattr(copy, name, value)
        return copy

    def __copy__(self) -> Tensor:
        copy = detached(self)
        copy.__class__ = type(self)
        copy.requires_grad = self._spec.requires_grad
        return copy

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return _rebuilt, (type(self), *packed(self), self._spec.requires_grad)

    def __setstate__(self, state: Any) -> None:
        raise TypeError("a Tensor is rebuilt by its constructor. Fix: torch.tensor(data), or x.clone().")

    # --- operations: one block per room ---------------------------------------------------------------------------

    # ops.shape
    view, reshape, view_as, reshape_as = shape.view_as_shape, shape.reshape, shape.view_as, shape.reshape_as
    flatten, ravel, unflatten = shape.flatten, shape.ravel, shape.unflatten
    permute, transpose, t, movedim, moveaxis = shape.permute, shape.transpose, shape.t, shape.movedim, shape.movedim
    swapaxes, swapdims = shape.transpose, shape.transpose
    T = property(shape.transposed_property)
    H = property(shape.conjugate_transpose)
    mT = property(shape.matrix_transpose)  # noqa: N815  (PyTorch's name)
    mH, adjoint = property(pointwise.adjoint), pointwise.adjoint  # noqa: N815
    squeeze, unsqueeze = shape.squeeze, shape.unsqueeze
    expand, expand_as, broadcast_to = shape.expand, shape.expand_as, shape.broadcast_to
    narrow, select, unbind, diagonal = slicing.narrow, slicing.select, slicing.unbind, shape.diagonal
    unfold, narrow_copy = slicing.unfold, copies.narrow_copy
    unsafe_split, unsafe_chunk = slicing.split, slicing.chunk
    unsafe_split_with_sizes = slicing.split_with_sizes
    split, split_with_sizes, chunk, tensor_split = (
        slicing.split_of, slicing.split_with_sizes, slicing.chunk, slicing.tensor_split,
    )  # fmt: skip
    contiguous, clone = shape.contiguous, shape.clone_as

    # ops.convert
    to, type, type_as = convert.to, convert.type_of, convert.type_as
    float, double, half, bfloat16 = convert.to_float, convert.to_double, convert.to_half, convert.to_bfloat16
    bool, long, int, short = convert.to_bool, convert.to_long, convert.to_int, convert.to_short
    char, byte, cfloat, cdouble = convert.to_char, convert.to_byte, convert.to_cfloat, convert.to_cdouble
    cpu, cuda = convert.to_cpu, convert.to_cuda
    real, imag = property(convert.real), property(convert.imag)
    to_sparse, to_sparse_csr, to_dense = convert.to_sparse, convert.to_sparse_csr, convert.to_dense
    to_sparse_coo, sparse_mask, as_subclass = convert.to_sparse_coo, convert.sparse_mask, convert.as_subclass

    # ops.storage
    storage, untyped_storage, set_ = memories.storage, memories.untyped_storage, memories.set_
    is_set_to, apply_, map_, map2_ = memories.is_set_to, memories.apply_, memories.map_, memories.map2_

    # ops.creation
    new_full, new_zeros, new_ones = creation.new_full, creation.new_zeros, creation.new_ones
    new = creation.new
    new_empty, new_tensor, new_empty_strided = creation.new_empty, creation.new_tensor, creation.new_empty_strided

    # ops.indexing, ops.index_put, ops.places
    __getitem__, __setitem__ = indexing.getitem, putting.setitem
    nonzero, argwhere, masked_select = places.nonzero, places.argwhere, places.masked_select
    nonzero_static = places.nonzero_static
    index_put, index_put_ = putting.index_put, putting.index_put_

    # ops.arithmetic
    add, add_, __add__, __radd__, __iadd__ = (
        arithmetic.add,
        arithmetic.add_,
        arithmetic.add,
        arithmetic.radd,
        arithmetic.add_,
    )
    sub, sub_, __sub__, __rsub__, __isub__ = (
        arithmetic.sub,
        arithmetic.sub_,
        arithmetic.sub,
        arithmetic.rsub,
        arithmetic.sub_,
    )
    mul, mul_, __mul__, __rmul__, __imul__ = (
        arithmetic.mul,
        arithmetic.mul_,
        arithmetic.mul,
        arithmetic.rmul,
        arithmetic.mul_,
    )
    div, div_, __truediv__, __rtruediv__, __itruediv__ = (
        arithmetic.div,
        arithmetic.div_,
        arithmetic.div,
        arithmetic.rdiv,
        arithmetic.div_,
    )
    floor_divide, floor_divide_, __floordiv__, __rfloordiv__, __ifloordiv__ = (
        arithmetic.floor_divide,
        arithmetic.floor_divide_,
        arithmetic.floor_divide,
        arithmetic.rfloor_divide,
        arithmetic.floor_divide_,
    )
    remainder, remainder_, __mod__, __rmod__, __imod__ = (
        arithmetic.remainder,
        arithmetic.remainder_,
        arithmetic.remainder,
        arithmetic.rremainder,
        arithmetic.remainder_,
    )
    pow, pow_, __pow__, __rpow__, __ipow__ = (
        arithmetic.pow,
        arithmetic.pow_,
        arithmetic.pow,
        arithmetic.rpow,
        arithmetic.pow_,
    )
    neg, neg_, __neg__, abs, abs_, __abs__, __pos__ = (
        arithmetic.neg,
        arithmetic.neg_,
        arithmetic.neg,
        arithmetic.abs,
        arithmetic.abs_,
        arithmetic.abs,
        arithmetic.positive,
    )
    true_divide, divide, subtract, multiply, negative, absolute, positive, fmod, fmod_ = (
        arithmetic.true_divide,
        arithmetic.divide,
        arithmetic.subtract,
        arithmetic.multiply,
        arithmetic.negative,
        arithmetic.absolute,
        arithmetic.positive,
        arithmetic.fmod,
        arithmetic.fmod_,
    )
    square, square_, sign, sign_, sgn, addcmul, addcmul_, addcdiv, addcdiv_, lerp, lerp_ = (
        arithmetic.square,
        arithmetic.square_,
        arithmetic.sign,
        arithmetic.sign_,
        arithmetic.sgn,
        arithmetic.addcmul,
        arithmetic.addcmul_,
        arithmetic.addcdiv,
        arithmetic.addcdiv_,
        arithmetic.lerp,
        arithmetic.lerp_,
    )

    # ops.pointwise
    exp, exp2, expm1, log, log1p, log2 = (
        pointwise.exp,
        pointwise.exp2,
        pointwise.expm1,
        pointwise.log,
        pointwise.log1p,
        pointwise.log2,
    )
    exp_, exp2_, expm1_, log_, log1p_, log2_ = (
        pointwise.exp_,
        pointwise.exp2_,
        pointwise.expm1_,
        pointwise.log_,
        pointwise.log1p_,
        pointwise.log2_,
    )
    log10, sqrt, rsqrt, reciprocal, sigmoid, sin = (
        pointwise.log10,
        pointwise.sqrt,
        pointwise.rsqrt,
        pointwise.reciprocal,
        pointwise.sigmoid,
        pointwise.sin,
    )
    log10_, sqrt_, rsqrt_, reciprocal_, sigmoid_, sin_ = (
        pointwise.log10_,
        pointwise.sqrt_,
        pointwise.rsqrt_,
        pointwise.reciprocal_,
        pointwise.sigmoid_,
        pointwise.sin_,
    )
    cos, tan, asin, acos, atan, sinh = (
        pointwise.cos,
        pointwise.tan,
        pointwise.asin,
        pointwise.acos,
        pointwise.atan,
        pointwise.sinh,
    )
    cos_, tan_, asin_, acos_, atan_, sinh_ = (
        pointwise.cos_,
        pointwise.tan_,
        pointwise.asin_,
        pointwise.acos_,
        pointwise.atan_,
        pointwise.sinh_,
    )
    cosh, tanh, asinh, acosh, atanh, erf = (
        pointwise.cosh,
        pointwise.tanh,
        pointwise.asinh,
        pointwise.acosh,
        pointwise.atanh,
        pointwise.erf,
    )
    cosh_, tanh_, asinh_, acosh_, atanh_, erf_ = (
        pointwise.cosh_,
        pointwise.tanh_,
        pointwise.asinh_,
        pointwise.acosh_,
        pointwise.atanh_,
        pointwise.erf_,
    )
    erfc, erfinv, lgamma, digamma, relu, floor = (
        pointwise.erfc,
        pointwise.erfinv,
        pointwise.lgamma,
        pointwise.digamma,
        pointwise.relu,
        pointwise.floor,
    )
    erfc_, erfinv_, lgamma_, digamma_, relu_, floor_ = (
        pointwise.erfc_,
        pointwise.erfinv_,
        pointwise.lgamma_,
        pointwise.digamma_,
        pointwise.relu_,
        pointwise.floor_,
    )
    ceil, trunc, round, frac, clamp, clamp_min = (
        pointwise.ceil,
        pointwise.trunc,
        pointwise.round,
        pointwise.frac,
        pointwise.clamp,
        pointwise.clamp_min,
    )
    ceil_, trunc_, round_, frac_, clamp_, clamp_min_ = (
        pointwise.ceil_,
        pointwise.trunc_,
        pointwise.round_,
        pointwise.frac_,
        pointwise.clamp_,
        pointwise.clamp_min_,
    )
    clamp_max, atan2, hypot, copysign, heaviside, nan_to_num = (
        pointwise.clamp_max,
        pointwise.atan2,
        pointwise.hypot,
        pointwise.copysign,
        pointwise.heaviside,
        pointwise.nan_to_num,
    )
    clamp_max_, atan2_, hypot_, copysign_, heaviside_, nan_to_num_ = (
        pointwise.clamp_max_,
        pointwise.atan2_,
        pointwise.hypot_,
        pointwise.copysign_,
        pointwise.heaviside_,
        pointwise.nan_to_num_,
    )
    xlogy, logit, sinc, deg2rad, rad2deg, float_power = (
        pointwise.xlogy,
        pointwise.logit,
        pointwise.sinc,
        pointwise.deg2rad,
        pointwise.rad2deg,
        pointwise.float_power,
    )
    xlogy_, logit_, sinc_, deg2rad_, rad2deg_, float_power_ = (
        pointwise.xlogy_,
        pointwise.logit_,
        pointwise.sinc_,
        pointwise.deg2rad_,
        pointwise.rad2deg_,
        pointwise.float_power_,
    )
    clip, clip_, fix, fix_, arcsin, arccos = (
        pointwise.clip,
        pointwise.clip_,
        pointwise.fix,
        pointwise.fix_,
        pointwise.arcsin,
        pointwise.arccos,
    )
    arctan, arctan2, logaddexp, logaddexp2 = (
        pointwise.arctan,
        pointwise.arctan2,
        pointwise.logaddexp,
        pointwise.logaddexp2,
    )

    conj, resolve_conj, resolve_neg = pointwise.conj, arithmetic.positive, arithmetic.positive
    signbit, nextafter, nextafter_ = pointwise.signbit, pointwise.nextafter, pointwise.nextafter_
    mvlgamma, mvlgamma_, i0, i0_ = special.mvlgamma, special.mvlgamma_, special.i0, special.i0_

    # ops.compare
    __lt__, __le__, __gt__, __ge__, __eq__, __ne__ = (
        compare.lt,
        compare.le,
        compare.gt,
        compare.ge,
        compare.equal_operator,
        compare.unequal_operator,
    )
    lt, le, gt, ge, eq, ne = compare.lt, compare.le, compare.gt, compare.ge, compare.eq, compare.ne
    lt_, le_, gt_, ge_, eq_, ne_ = compare.lt_, compare.le_, compare.gt_, compare.ge_, compare.eq_, compare.ne_
    less, less_equal, greater, greater_equal, not_equal = (
        compare.less,
        compare.less_equal,
        compare.greater,
        compare.greater_equal,
        compare.not_equal,
    )
    maximum, minimum, fmax, fmin, isnan, isinf, isfinite = (
        compare.maximum,
        compare.minimum,
        compare.fmax,
        compare.fmin,
        compare.isnan,
        compare.isinf,
        compare.isfinite,
    )
    isposinf, isneginf, isclose, allclose, equal = (
        compare.isposinf,
        compare.isneginf,
        compare.isclose,
        compare.allclose,
        compare.equal,
    )
    logical_and, logical_or, logical_xor, logical_not = (
        compare.logical_and,
        compare.logical_or,
        compare.logical_xor,
        compare.logical_not,
    )
    logical_and_, logical_or_, logical_xor_, logical_not_ = (
        compare.logical_and_,
        compare.logical_or_,
        compare.logical_xor_,
        compare.logical_not_,
    )
    bitwise_and, bitwise_or, bitwise_xor, bitwise_not = (
        compare.bitwise_and,
        compare.bitwise_or,
        compare.bitwise_xor,
        compare.bitwise_not,
    )
    bitwise_and_, bitwise_or_, bitwise_xor_, bitwise_not_ = (
        compare.bitwise_and_,
        compare.bitwise_or_,
        compare.bitwise_xor_,
        compare.bitwise_not_,
    )
    bitwise_left_shift, bitwise_right_shift, masked_fill, masked_fill_ = (
        compare.bitwise_left_shift,
        compare.bitwise_right_shift,
        compare.masked_fill,
        compare.masked_fill_,
    )
    __and__, __rand__, __iand__, __or__, __ror__, __ior__ = (
        compare.bitwise_and,
        compare.bitwise_rand,
        compare.bitwise_and_,
        compare.bitwise_or,
        compare.bitwise_ror,
        compare.bitwise_or_,
    )
    __xor__, __rxor__, __ixor__, __invert__, __lshift__, __rshift__ = (
        compare.bitwise_xor,
        compare.bitwise_rxor,
        compare.bitwise_xor_,
        compare.bitwise_not,
        compare.bitwise_left_shift,
        compare.bitwise_right_shift,
    )
    where = compare.where_method

    # ops.reduce
    sum, mean, prod, var, std, amax, amin = (
        reduce.sum,
        reduce.mean,
        reduce.prod,
        reduce.var,
        reduce.std,
        reduce.amax,
        reduce.amin,
    )
    max, min, aminmax, argmax, argmin, all, any = (
        reduce.max,
        reduce.min,
        reduce.aminmax,
        reduce.argmax,
        reduce.argmin,
        reduce.all,
        reduce.any,
    )
    logsumexp, norm, dist, cumsum, cumprod, cumsum_, cumprod_ = (
        reduce.logsumexp,
        reduce.norm,
        reduce.dist,
        reduce.cumsum,
        reduce.cumprod,
        reduce.cumsum_,
        reduce.cumprod_,
    )
    logcumsumexp, cummax, cummin, count_nonzero, nansum, nanmean, renorm = (
        reduce.logcumsumexp,
        reduce.cummax,
        reduce.cummin,
        reduce.count_nonzero,
        reduce.nansum,
        reduce.nanmean,
        reduce.renorm,
    )

    sum_to_size = reduce.sum_to_size

    # ops.fill, ops.combine
    fill_, zero_, copy_, fill_diagonal_ = fill.fill_, fill.zero_, fill.copy_, fill.fill_diagonal_
    repeat, tile, repeat_interleave, flip, fliplr, flipud, roll, rot90 = (
        combine.repeat,
        combine.tile,
        combine.repeat_interleave,
        combine.flip,
        combine.fliplr,
        combine.flipud,
        combine.roll,
        combine.rot90,
    )
    tril, triu, tril_, triu_, diag, diag_embed, diagflat, trace = (
        combine.tril,
        combine.triu,
        combine.tril_,
        combine.triu_,
        combine.diag,
        combine.diag_embed,
        combine.diagflat,
        combine.trace,
    )

    # ops.sort
    sort, argsort, msort, topk, kthvalue, median, nanmedian, mode = (
        sorting.sort,
        sorting.argsort,
        sorting.msort,
        sorting.topk,
        sorting.kthvalue,
        sorting.median,
        sorting.nanmedian,
        sorting.mode,
    )
    unique, unique_consecutive, bincount, histc = (
        sorting.unique,
        sorting.unique_consecutive,
        sorting.bincount,
        sorting.histc,
    )

    # ops.gather
    gather, index_select, take, put_, scatter, scatter_add, scatter_reduce = (
        gathering.gather,
        gathering.index_select,
        gathering.take,
        gathering.put_,
        gathering.scatter,
        gathering.scatter_add,
        gathering.scatter_reduce,
    )
    scatter_, scatter_add_, scatter_reduce_, masked_scatter, masked_scatter_ = (
        gathering.scatter_,
        gathering.scatter_add_,
        gathering.scatter_reduce_,
        gathering.masked_scatter,
        gathering.masked_scatter_,
    )
    index_add, index_add_, index_copy, index_copy_, index_fill, index_fill_ = (
        gathering.index_add,
        gathering.index_add_,
        gathering.index_copy,
        gathering.index_copy_,
        gathering.index_fill,
        gathering.index_fill_,
    )
    put = gathering.put
    take_along_dim, select_scatter, slice_scatter = (
        gathering.take_along_dim,
        gathering.select_scatter,
        gathering.slice_scatter,
    )

    # ops.contract
    matmul, __matmul__, __rmatmul__, mm, mv, dot, vdot = (
        contract.matmul,
        contract.matmul,
        contract.rmatmul,
        contract.mm,
        contract.mv,
        contract.dot,
        contract.vdot,
    )
    bmm, addmm, addmv, baddbmm, addbmm, addr, inner, outer, ger, kron, cross = (
        contract.bmm,
        contract.addmm,
        contract.addmv,
        contract.baddbmm,
        contract.addbmm,
        contract.addr,
        contract.inner,
        contract.outer,
        contract.ger,
        contract.kron,
        contract.cross_of_first_axis,
    )
    addmm_, addmv_, baddbmm_, addbmm_, addr_ = (
        contract.addmm_,
        contract.addmv_,
        contract.baddbmm_,
        contract.addbmm_,
        contract.addr_,
    )

    # linalg
    inverse, pinverse, det, logdet, slogdet = (
        algebra.inverse, algebra.pinverse, algebra.det, algebra.logdet, algebra.slogdet,
    )  # fmt: skip
    cholesky, cholesky_solve, cholesky_inverse = algebra.cholesky, algebra.cholesky_solve, algebra.cholesky_inverse
    qr, svd, matrix_power, matrix_exp = algebra.qr, algebra.svd, algebra.matrix_power, algebra.matrix_exp
    geqrf, orgqr, ormqr, lu, lu_solve, triangular_solve = (
        algebra.geqrf, algebra.orgqr, algebra.ormqr, algebra.lu, algebra.lu_solve, algebra.triangular_solve,
    )  # fmt: skip

    def stft(self, *args: Any, **kwargs: Any) -> Tensor:
        """The Fourier transforms of the windows of a signal. As `torch.stft`."""
        from kadam.ops.spectral import stft

        return stft(self, *args, **kwargs)

    def istft(self, *args: Any, **kwargs: Any) -> Tensor:
        """The signal whose `stft` comes closest to this. As `torch.istft`."""
        from kadam.ops.spectral import istft

        return istft(self, *args, **kwargs)

    def hardshrink(self, lambd: builtins.float = 0.5) -> Tensor:
        """The elements beyond `lambd` on either side; others become 0. As `torch.nn.functional.hardshrink`."""
        from kadam.nn.functional import hardshrink

        return hardshrink(self, lambd)

    def prelu(self, weight: Tensor) -> Tensor:
        """max(0, x) + weight * min(0, x). As `torch.nn.functional.prelu`."""
        from kadam.nn.functional import prelu

        return prelu(self, weight)

    # ops.strided, ops.numbers, ops.calculus, ops.histogram, ops.hashing
    as_strided, as_strided_scatter = strided.as_strided, strided.as_strided_scatter
    as_strided_, resize_, resize_as_ = strided.as_strided_, strided.resize_, strided.resize_as_
    squeeze_, unsqueeze_, t_, transpose_ = strided.squeeze_, strided.unsqueeze_, strided.t_, strided.transpose_
    swapaxes_ = swapdims_ = strided.transpose_
    angle, conj_physical, frexp, gcd, lcm, ldexp = (
        parts.angle, parts.conj_physical, parts.frexp, parts.gcd, parts.lcm, parts.ldexp,
    )  # fmt: skip
    histogram, hash_tensor = histogram, hash_tensor
    igamma, igammac = incomplete_gamma.igamma, incomplete_gamma.igammac
    igamma_, igammac_ = in_place(incomplete_gamma.igamma), in_place(incomplete_gamma.igammac)
    diagonal_scatter, index_reduce, index_reduce_ = (
        gathering.diagonal_scatter,
        gathering.index_reduce,
        gathering.index_reduce_,
    )

    # in-place forms, and other names
    conj_physical_, gcd_ = in_place(parts.conj_physical), in_place(parts.gcd)
    lcm_, ldexp_ = in_place(parts.lcm), in_place(parts.ldexp)
    sgn_, renorm_ = in_place(arithmetic.sgn), in_place(reduce.renorm)
    bitwise_left_shift_, bitwise_right_shift_ = compare.bitwise_left_shift_, compare.bitwise_right_shift_
    __ilshift__, __irshift__ = bitwise_left_shift_, bitwise_right_shift_
    absolute_, negative_, subtract_, multiply_ = arithmetic.abs_, arithmetic.neg_, arithmetic.sub_, arithmetic.mul_
    divide_ = true_divide_ = __idiv__ = arithmetic.div_
    __div__, __rdiv__ = arithmetic.div, arithmetic.rdiv
    arcsin_, arccos_, arctan_, arctan2_ = pointwise.asin_, pointwise.acos_, pointwise.atan_, pointwise.atan2_
    arcsinh_, arccosh_, arctanh_ = pointwise.asinh_, pointwise.acosh_, pointwise.atanh_
    arcsinh, arccosh, arctanh = pointwise.asinh, pointwise.acosh, pointwise.atanh
    greater_, greater_equal_, less_, less_equal_, not_equal_ = (
        compare.gt_, compare.ge_, compare.lt_, compare.le_, compare.ne_,
    )  # fmt: skip
    hsplit, vsplit, dsplit = slicing.hsplit, slicing.vsplit, slicing.dsplit
    is_nonzero, is_same_size, isreal = query.is_nonzero, query.is_same_size, convert.isreal

    def polygamma(self, n: builtins.int) -> Tensor:
        """The n-th derivative of the digamma function. As `Tensor.polygamma`."""
        return pointwise.polygamma(n, self)

    def polygamma_(self, n: builtins.int) -> Tensor:
        """In-place form of `polygamma`."""
        return fill.copy_(self, pointwise.polygamma(n, self))

    # ops.softmax, ops.random, ops.statistics
    softmax, log_softmax = softmax.softmax, softmax.log_softmax
    uniform_, normal_, random_, bernoulli_ = random.uniform_, random.normal_, random.random_, random.bernoulli_
    exponential_, geometric_ = random.exponential_, random.geometric_
    log_normal_, cauchy_ = random.log_normal_, random.cauchy_
    bernoulli, multinomial = random.bernoulli, random.multinomial
    cov, corrcoef, diff = statistics.cov, statistics.corrcoef, statistics.diff
    quantile, nanquantile = statistics.quantile, statistics.nanquantile


def _no_axis(dim: Any, rank: int, name: str) -> KadamError:
    """The error about an axis that a tensor does not have, or that is no number."""
    if not isinstance(dim, numbers.Integral):
        return OperandError(f"{name}(): argument 'dim' must be int, not {builtins.type(dim).__name__}. Fix: dim=0.")
    try:
        axis_of(int(dim), rank)
    except AxisError as error:
        return error
    return AxisError(f"{name}: Dimension specified as {dim} but tensor has no dimensions. Fix: x.{name}().")


_PYTHONS_NUMBERS = (float, int, bool, complex)


def _no_scalar(array: np.ndarray[Any, Any]) -> ShapeError:
    return ShapeError(
        f"item: a Tensor with {array.size} elements cannot be converted to Scalar. Fix: reduce it first "
        "(x.mean().item()), or x.tolist()."
    )


def _warn_of_no_leaf() -> None:
    warnings.warn(
        "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute won't be "
        "populated during autograd.backward(). If you indeed want the .grad field to be populated for a non-leaf "
        "Tensor, use .retain_grad() on the non-leaf Tensor. If you access the non-leaf Tensor by mistake, make sure "
        "you access the leaf Tensor instead.",
        stacklevel=3,
    )


def _backward(
    root: Tensor,
    gradient: Tensor | None,
    retain_graph: bool | None,
    create_graph: bool,
    inputs: Sequence[Tensor] | Tensor | None,
) -> None:
    retain = create_graph if retain_graph is None else retain_graph
    if gradient is not None and not isinstance(gradient, Tensor):
        raise OperandError(
            f"backward: gradients can be either Tensors or None, but got {builtins.type(gradient).__name__}. Fix: "
            "loss.backward(), or torch.ones_like(x) as the gradient of x."
        )
    listed = [inputs] if isinstance(inputs, Tensor | lineage.GradientEdge) else inputs
    given = None if listed is None else [lineage.meant(one) for one in listed]
    anomaly.backward([root], [gradient], retain, create_graph, given)


def _python(array: np.ndarray[Any, Any]) -> Any:
    return _widened(array).item()


def _widened(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return array if array.dtype.kind in "biufc" else array.astype(np.float32)


def _rebuilt(kind: type[Tensor], memory: np.ndarray[Any, Any], seen: Any, requires_grad: bool) -> Tensor:
    tensor = from_array(unpacked(memory, seen), requires_grad)
    tensor.__class__ = kind
    return tensor


made.cls = Tensor
blame.install()
interruptions.install()
__all__ = ["Size", "Tensor", "overwrite"]

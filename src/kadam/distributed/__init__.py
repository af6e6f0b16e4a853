"""Training in several processes, of which there is one: groups of a single process. As `torch.distributed`.

A script that is written for many processes runs as it is started alone, or by `torchrun` with one process: it is rank 0
of a world of size 1, where a sum over all processes is one's own tensor.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from kadam import missing
from kadam.distributed.agreement import check_alike, check_reduction, check_splits, check_tensors
from kadam.errors import RankError, UnsupportedError
from kadam.recording.modes import no_grad

if TYPE_CHECKING:
    from kadam.tensor import Tensor

_BACKENDS = ("gloo",)
_NOT_BUILT = ("nccl", "mpi", "ucc", "xccl")


class ReduceOp(Enum):
    """How tensors of several processes become one. Of one process's tensor they all make that tensor."""

    SUM = 0
    AVG = 1
    PRODUCT = 2
    MIN = 3
    MAX = 4
    BAND = 5
    BOR = 6
    BXOR = 7
    PREMUL_SUM = 8


ReduceOp.RedOpType = ReduceOp  # type: ignore[attr-defined]  # the class of the members, by the name it has in PyTorch


class Backend(str):
    """The name of what carries the messages, in small letters."""

    UNDEFINED = "undefined"
    GLOO = "gloo"
    NCCL = "nccl"
    XCCL = "xccl"
    UCC = "ucc"
    MPI = "mpi"
    backend_list: ClassVar = [UNDEFINED, GLOO, NCCL, XCCL, UCC, MPI]
    default_device_backend_map: ClassVar = {"cpu": GLOO, "cuda": NCCL, "xpu": XCCL, "mps": GLOO}

    __slots__ = ()

    def __new__(cls, name: str) -> Backend:
        if not isinstance(name, str):
            raise ValueError(f"Backend: {name!r} is no name. Fix: Backend('gloo').")
        return super().__new__(cls, name.lower())


class ProcessGroup:
    """Processes that work together: this one."""

    def __init__(self, backend: str) -> None:
        self._backend = backend

    def rank(self) -> int:
        """This process's number: 0."""
        return 0

    def size(self) -> int:
        """How many processes there are: 1."""
        return 1

    def name(self) -> str:
        """The name of what carries the messages."""
        return self._backend


class Work:
    """A collective operation that was started. Among one process it is done at once."""

    def wait(self, timeout: Any = None) -> bool:
        """True: nothing is left to wait for."""
        return True

    def is_completed(self) -> bool:
        """True."""
        return True

    def is_success(self) -> bool:
        """True."""
        return True


class _World(type):
    """Where `group.WORLD` is looked up: the group of all processes, or None before it is made."""

    default: ProcessGroup | None = None

    @property
    def WORLD(cls) -> ProcessGroup | None:  # noqa: N802, as PyTorch calls it
        return _World.default


class group(metaclass=_World):  # noqa: N801, as PyTorch calls it
    """`group.WORLD` is the group of all processes."""


class GroupMember(metaclass=_World):
    """`GroupMember.WORLD` is the group of all processes."""

    NON_GROUP_MEMBER = -100


def is_available() -> bool:
    """True: a process can be a group of its own."""
    return True


def is_backend_available(backend: str) -> bool:
    """Whether messages can go this way: gloo's, of which a single process needs none."""
    return backend.lower() in _BACKENDS


def is_gloo_available() -> bool:
    """True."""
    return True


def is_nccl_available() -> bool:
    """False: there is no GPU."""
    return False


def is_mpi_available() -> bool:
    """False."""
    return False


def is_ucc_available() -> bool:
    """False."""
    return False


def is_xccl_available() -> bool:
    """False."""
    return False


def is_torchelastic_launched() -> bool:
    """Whether `torchrun` has started this process."""
    return os.environ.get("TORCHELASTIC_RUN_ID") is not None


def is_initialized() -> bool:
    """Whether `init_process_group` has made the group of all processes."""
    return _World.default is not None


def init_process_group(
    backend: str | None = None,
    init_method: str | None = None,
    timeout: Any = None,
    world_size: int = -1,
    rank: int = -1,
    store: Any = None,
    group_name: str = "",
    pg_options: Any = None,
    device_id: Any = None,
) -> None:
    """Make the group of all processes, which must be this one alone.

    Args:
        backend: what carries messages: "gloo".
        init_method: where the processes meet; "env://" reads rank and size from RANK and WORLD_SIZE.
        timeout: how long the others are waited for.
        world_size: how many processes there are: 1.
        rank: this process's number: 0.
        store: where the processes meet, instead of `init_method`.
        group_name: the group's name.
        pg_options: a backend's options.
        device_id: a GPU.

    Raises:
        ValueError: the group is there already, or rank and size are not told.
        RuntimeError: there is no such backend.
        UnsupportedError: there shall be more processes than this one.
    """
    if is_initialized():
        raise ValueError(
            "init_process_group: the group of all processes is there already. Fix: call destroy_process_group() first."
        )
    name = _backend_named(backend)
    environment = os.environ if store is None and init_method in (None, "env://") else {}
    size = _told(world_size, "WORLD_SIZE", "world_size", environment)
    number = _told(rank, "RANK", "rank", environment)
    if size != 1:
        raise UnsupportedError(
            f"init_process_group: world_size is {size}, and Kadam trains in one process. Fix: start the script alone, "
            "with WORLD_SIZE=1 and RANK=0."
        )
    if number != 0:
        raise ValueError(f"init_process_group: rank {number} is none of a world of size 1. Fix: rank=0.")
    _World.default = ProcessGroup(name)


def _backend_named(backend: str | None) -> str:
    name = "gloo" if backend is None else backend.lower()
    if name in _NOT_BUILT:
        raise RuntimeError(
            f"init_process_group: there is no backend {name!r} here, where there is no GPU. Fix: backend='gloo'."
        )
    carriers = [part.partition(":")[2] or part for part in name.split(",")]
    if not any(carrier in _BACKENDS for carrier in carriers):
        raise ValueError(f"init_process_group: {backend!r} is no backend. Fix: backend='gloo'.")
    return name


def _told(given: int, variable: str, name: str, environment: Mapping[str, str]) -> int:
    """A number that the caller has given, or else the environment."""
    if given >= 0:
        return given
    if variable not in environment:
        raise ValueError(
            f"init_process_group: {name} is not told: it was not given, and the environment variable {variable} is not "
            f"read or not set. Fix: pass {name}=, or set {variable}."
        )
    return int(environment[variable])


def destroy_process_group(group: ProcessGroup | None = None) -> None:
    """Take the group apart; without one, or for the group of all, everything."""
    made = _group(None)
    if group is None or group is made:
        _World.default = None


def new_group(ranks: Sequence[int] | None = None, *options: Any, **named_options: Any) -> ProcessGroup | int:
    """A group of some of the processes: of this one, or a group that it is no member of.

    Raises:
        ValueError: a rank is none of the world's.
    """
    world = _group(None)
    for rank in ranks or ():
        if rank != 0:
            raise ValueError(f"new_group: rank {rank} is none of a world of size 1. Fix: ranks=[0].")
    return ProcessGroup(world.name()) if ranks is None or list(ranks) else GroupMember.NON_GROUP_MEMBER


def get_rank(group: ProcessGroup | None = None) -> int:
    """This process's number: 0."""
    return _group(group).rank()


def get_world_size(group: ProcessGroup | None = None) -> int:
    """How many processes there are: 1."""
    return _group(group).size()


def get_backend(group: ProcessGroup | None = None) -> str:
    """The name of what carries the messages."""
    return _group(group).name()


def get_node_local_rank(fallback_rank: int | None = None) -> int:
    """This process's number on its machine: what LOCAL_RANK says, or else `fallback_rank`.

    Raises:
        RuntimeError: neither is there.
    """
    number = os.environ.get("LOCAL_RANK", fallback_rank)
    if number is None:
        raise RuntimeError("get_node_local_rank: LOCAL_RANK is not set. Fix: set it, or give a fallback_rank.")
    return int(number)


def get_process_group_ranks(group: ProcessGroup | None) -> list[int]:
    """The numbers of the group's processes: [0]."""
    return list(range(_group(group).size()))


def barrier(group: ProcessGroup | None = None, async_op: bool = False, *options: Any, **named: Any) -> Work | None:
    """Wait until every process has come here: this one has."""
    return _done(group, async_op)


def monitored_barrier(group: ProcessGroup | None = None, timeout: Any = None, wait_all_ranks: bool = False) -> None:
    """Wait until every process has come here: this one has."""
    _group(group)


def all_reduce(
    tensor: Tensor, op: ReduceOp = ReduceOp.SUM, group: ProcessGroup | None = None, async_op: bool = False
) -> Work | None:
    """Make of every process's `tensor` the sum over all, which for one process it is."""
    check_tensors("all_reduce", tensor=tensor)
    check_reduction("all_reduce", op, ReduceOp, tensor)
    return _done(group, async_op)


def reduce(
    tensor: Tensor,
    dst: int | None = None,
    op: ReduceOp = ReduceOp.SUM,
    group: ProcessGroup | None = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:
    """Make of `tensor` at `dst` the sum over all, which for one process it is."""
    check_tensors("reduce", tensor=tensor)
    check_reduction("reduce", op, ReduceOp, tensor)
    _root("reduce", dst, group_dst)
    return _done(group, async_op)


def broadcast(
    tensor: Tensor,
    src: int | None = None,
    group: ProcessGroup | None = None,
    async_op: bool = False,
    group_src: int | None = None,
) -> Work | None:
    """Give every process the `tensor` of `src`, which for one process it is."""
    check_tensors("broadcast", tensor=tensor)
    _root("broadcast", src, group_src)
    return _done(group, async_op)


def all_gather(
    tensor_list: Sequence[Tensor], tensor: Tensor, group: ProcessGroup | None = None, async_op: bool = False
) -> Work | None:
    """Write every process's `tensor` to `tensor_list`, in the order of their numbers."""
    check_tensors("all_gather", tensor_list=tensor_list, tensor=tensor)
    return _done(group, async_op, lambda: _send("all_gather", tensor, _only("all_gather", tensor_list)))


def gather(
    tensor: Tensor,
    gather_list: Sequence[Tensor] | None = None,
    dst: int | None = None,
    group: ProcessGroup | None = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:
    """Write every process's `tensor` to the `gather_list` of `dst`."""
    _root("gather", dst, group_dst)
    check_tensors("gather", tensor=tensor, gather_list=gather_list or [])
    _needs("gather", "gather_list", gather_list)
    return _done(group, async_op, lambda: _send("gather", tensor, _only("gather", gather_list)))


def scatter(
    tensor: Tensor,
    scatter_list: Sequence[Tensor] | None = None,
    src: int | None = None,
    group: ProcessGroup | None = None,
    async_op: bool = False,
    group_src: int | None = None,
) -> Work | None:
    """Write to every process's `tensor` its own of the `scatter_list` of `src`."""
    _root("scatter", src, group_src)
    check_tensors("scatter", tensor=tensor, scatter_list=scatter_list or [])
    _needs("scatter", "scatter_list", scatter_list)
    return _done(group, async_op, lambda: _send("scatter", _only("scatter", scatter_list), tensor))


def reduce_scatter(
    output: Tensor,
    input_list: Sequence[Tensor],
    op: ReduceOp = ReduceOp.SUM,
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:
    """Write to every process's `output` the sum over all processes of its own of `input_list`."""
    check_tensors("reduce_scatter", output=output, input_list=input_list)
    check_reduction("reduce_scatter", op, ReduceOp, output)
    return _done(group, async_op, lambda: _send("reduce_scatter", _only("reduce_scatter", input_list), output))


def all_to_all(
    output_tensor_list: Sequence[Tensor],
    input_tensor_list: Sequence[Tensor],
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:
    """Every process sends one tensor to each and gets one from each."""
    check_tensors("all_to_all", output_tensor_list=output_tensor_list, input_tensor_list=input_tensor_list)
    sent, got = _only("all_to_all", input_tensor_list), _only("all_to_all", output_tensor_list)
    return _done(group, async_op, lambda: _send("all_to_all", sent, got))


def all_to_all_single(
    output: Tensor,
    input: Tensor,
    output_split_sizes: Sequence[int] | None = None,
    input_split_sizes: Sequence[int] | None = None,
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:
    """Every process sends a part of `input` to each and gets one from each, into `output`."""
    check_tensors("all_to_all_single", output=output, input=input)
    check_alike("all_to_all_single", input, output, elements=True)
    check_splits("all_to_all_single", output, output_split_sizes)
    check_splits("all_to_all_single", input, input_split_sizes)
    return _done(group, async_op, lambda: output.copy_(input.reshape(output.shape)))


def all_gather_into_tensor(
    output_tensor: Tensor, input_tensor: Tensor, group: ProcessGroup | None = None, async_op: bool = False
) -> Work | None:
    """Write every process's `input_tensor` to `output_tensor`, one after another along its first axis."""
    check_tensors("all_gather_into_tensor", output_tensor=output_tensor, input_tensor=input_tensor)
    return _done(group, async_op, lambda: _send("all_gather_into_tensor", input_tensor, output_tensor))


def reduce_scatter_tensor(
    output: Tensor,
    input: Tensor,
    op: ReduceOp = ReduceOp.SUM,
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:
    """Write to every process's `output` its own part of the sum of all `input`."""
    check_tensors("reduce_scatter_tensor", output=output, input=input)
    check_reduction("reduce_scatter_tensor", op, ReduceOp, input)
    return _done(group, async_op, lambda: _send("reduce_scatter_tensor", input, output))


def broadcast_object_list(object_list: list[Any], src: int | None = None, *options: Any, **named: Any) -> None:
    """Give every process the objects of `src`, which for one process they are."""
    _root("broadcast_object_list", src, named.get("group_src"))
    _group(None)


def all_gather_object(object_list: list[Any], obj: Any, group: ProcessGroup | None = None) -> None:
    """Write every process's `obj` to `object_list`."""
    _group(group)
    object_list[0] = obj


def gather_object(
    obj: Any,
    object_gather_list: list[Any] | None = None,
    dst: int | None = None,
    group: ProcessGroup | None = None,
    group_dst: int | None = None,
) -> None:
    """Write every process's `obj` to the list of `dst`."""
    _root("gather_object", dst, group_dst)
    _group(group)
    if object_gather_list is None:
        raise ValueError("gather_object: the process that gathers needs a list. Fix: object_gather_list=[None].")
    object_gather_list[0] = obj


def _group(group: ProcessGroup | None) -> ProcessGroup:
    """The group that is meant: the given one, or that of all processes."""
    if _World.default is None:
        raise ValueError(
            "torch.distributed: there is no group of processes yet. Fix: call init_process_group('gloo') first."
        )
    return _World.default if group is None else group


def _root(operation: str, *ranks: int | None) -> None:
    """The process that a collective starts from or ends at must be of the world."""
    for rank in ranks:
        if rank not in (None, 0):
            raise RuntimeError(f"{operation}: rank {rank} is none of a world of size 1. Fix: rank 0.")


def _only(operation: str, tensors: Sequence[Tensor] | None) -> Tensor:
    """The one tensor of a list with a tensor for each process."""
    if tensors is None or len(tensors) != 1:
        told = "no list" if tensors is None else f"{len(tensors)} tensors"
        raise RankError(f"{operation}: {told} for a world of size 1. Fix: a list of one tensor.")
    return tensors[0]


def _needs(operation: str, name: str, tensors: Sequence[Tensor] | None) -> None:
    if not tensors:
        raise ValueError(f"{operation}: Argument {name} must be specified on this rank. Fix: {name}=[tensor].")


def _send(operation: str, sent: Tensor, got: Tensor) -> None:
    """Write one process's tensor to another's, which is the same process."""
    check_alike(operation, sent, got)
    got.copy_(sent)


def _done(group: ProcessGroup | None, async_op: bool, move: Callable[[], object] | None = None) -> Work | None:
    """Carry a collective operation out: no gradient flows through it."""
    _group(group)
    if move is not None:
        with no_grad():
            move()
    return Work() if async_op else None


__all__ = [
    "Backend", "GroupMember", "ProcessGroup", "ReduceOp", "Work", "all_gather", "all_gather_into_tensor",
    "all_gather_object", "all_reduce", "all_to_all", "all_to_all_single", "barrier", "broadcast",
    "broadcast_object_list", "destroy_process_group", "gather", "gather_object", "get_backend", "get_node_local_rank",
    "get_process_group_ranks", "get_rank", "get_world_size", "group", "init_process_group", "is_available",
    "is_backend_available", "is_gloo_available", "is_initialized", "is_mpi_available", "is_nccl_available",
    "is_torchelastic_launched", "is_ucc_available", "is_xccl_available", "monitored_barrier", "new_group", "reduce",
    "reduce_scatter", "reduce_scatter_tensor", "scatter",
]  # fmt: skip

missing.install(__name__)

"""Datasets, samplers, collation and loaders, held against PyTorch's: the same orders, structures and errors."""

from __future__ import annotations

import gc
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections import OrderedDict, UserDict, namedtuple

import numpy as np
import pytest

from kadam.recording.generator import Generator, default_generator
from kadam.recording.tensor import Recorded, from_array, read
from kadam.utils import data

Point = namedtuple("Point", ["x", "y"])


class Ours:
    """Kadam, by the few names that the programs below use."""

    data = data
    tensor = staticmethod(from_array)
    Tensor = Recorded
    array = staticmethod(read)

    @staticmethod
    def seed(value):
        default_generator.manual_seed(value)

    @staticmethod
    def draw():
        return default_generator.random_int64()

    @staticmethod
    def generator(value):
        generator = Generator()
        generator.manual_seed(value)
        return generator

    @staticmethod
    def draw_from(generator):
        return generator.random_int64()


@pytest.fixture(scope="module")
def theirs():
    """PyTorch, by the same names."""
    torch = pytest.importorskip("torch")

    class Theirs:
        data = torch.utils.data
        tensor = staticmethod(torch.from_numpy)
        Tensor = torch.Tensor
        array = staticmethod(lambda tensor: tensor.detach().numpy())
        seed = staticmethod(torch.manual_seed)

        @staticmethod
        def draw():
            return torch.empty((), dtype=torch.int64).random_().item()

        @staticmethod
        def generator(value):
            return torch.Generator().manual_seed(value)

        @staticmethod
        def draw_from(generator):
            return torch.empty((), dtype=torch.int64).random_(generator=generator).item()

    return Theirs


def plain(lib, value):
    """A batch without tensors: each becomes its type, shape and values; structures keep their types."""
    if isinstance(value, lib.Tensor):
        array = lib.array(value)
        return (array.dtype.name, array.shape, array.tolist())
    if isinstance(value, dict | UserDict):
        return (type(value).__name__, {key: plain(lib, entry) for key, entry in value.items()})
    if isinstance(value, tuple | list):
        return (type(value).__name__, [plain(lib, entry) for entry in value])
    return value


# Orders: each program gives plain values, which must be the same with both libraries.


def tensors(lib, count=23):
    return lib.data.TensorDataset(
        lib.tensor(np.arange(2.0 * count, dtype=np.float32).reshape(count, 2)), lib.tensor(np.arange(count))
    )


def passes(lib, loader, count=2):
    return [[plain(lib, batch) for batch in loader] for _ in range(count)]


def loader_of(**options):
    return lambda lib: passes(lib, lib.data.DataLoader(tensors(lib), **options))


def loader_with_generator(**options):
    def program(lib):
        generator = lib.generator(7)
        loader = lib.data.DataLoader(tensors(lib), generator=generator, **options)
        return passes(lib, loader), lib.draw_from(generator)

    return program


def first_batches(**options):
    def program(lib):
        generator = lib.generator(7)
        loader = lib.data.DataLoader(tensors(lib), batch_size=5, shuffle=True, generator=generator, **options)
        firsts = [plain(lib, next(iter(loader))) for _ in range(3)]
        return firsts, lib.draw_from(generator)

    return program


def sampler_of(name, *args, **options):
    return lambda lib: [list(getattr(lib.data, name)(*args, **options)) for _ in range(2)]


def sampler_with_generator(name, *args, taken=None, **options):
    def program(lib):
        generator = lib.generator(3)
        sampler = getattr(lib.data, name)(*args, generator=generator, **options)
        order = [index for _, index in zip(range(taken or len(sampler)), sampler, strict=False)]
        return order, lib.draw_from(generator)

    return program


class Drawing:
    """A sampler that draws when it is asked for a pass."""

    def __init__(self, lib):
        self.lib = lib

    def __iter__(self):
        return iter([self.lib.draw() % 23 for _ in range(6)])

    def __len__(self):
        return 6


def unbatched_stream(lib):
    class Count(lib.data.IterableDataset):
        def __iter__(self):
            return iter(range(self.start(), 7))

        def start(self):
            return lib.draw() % 3

    return [passes(lib, lib.data.DataLoader(Count(), batch_size=size, drop_last=size == 4)) for size in (None, 2, 3, 4)]


WEIGHTS = [0.1, 0.9, 0.4, 0.7, 3.0, 0.6]
PROGRAMS = {
    "sequential": loader_of(batch_size=5),
    "shuffle": loader_of(batch_size=5, shuffle=True),
    "shuffle, drop_last": loader_of(batch_size=5, shuffle=True, drop_last=True),
    "shuffle, whole batches": loader_of(batch_size=23, shuffle=True),
    "shuffle, unbatched": loader_of(batch_size=None, shuffle=True),
    "shuffle, collate_fn": loader_of(batch_size=5, shuffle=True, collate_fn=lambda samples: len(samples)),
    "shuffle by a generator": loader_with_generator(batch_size=5, shuffle=True),
    "shuffle by a generator, drop_last": loader_with_generator(batch_size=5, shuffle=True, drop_last=True),
    "left early": first_batches(),
    "left early, workers": first_batches(num_workers=2),
    "workers": loader_of(batch_size=5, shuffle=True, num_workers=2),
    "workers by a generator": loader_with_generator(batch_size=5, shuffle=True, num_workers=2),
    "persistent workers": loader_of(batch_size=5, shuffle=True, num_workers=2, persistent_workers=True),
    "workers, unbatched": loader_of(batch_size=None, shuffle=True, num_workers=2),
    "drawing sampler": lambda lib: passes(lib, lib.data.DataLoader(tensors(lib), sampler=Drawing(lib))),
    "drawing sampler, unbatched": lambda lib: passes(
        lib, lib.data.DataLoader(tensors(lib), sampler=Drawing(lib), batch_size=None)
    ),
    "drawing sampler, workers": lambda lib: passes(
        lib, lib.data.DataLoader(tensors(lib), sampler=Drawing(lib), batch_size=None, num_workers=2)
    ),
    "streams": unbatched_stream,
    "batch_sampler": lambda lib: passes(
        lib, lib.data.DataLoader(tensors(lib), batch_sampler=[[0, 1], [5], [-1, 3, 3]])
    ),
    "sampler of lists, unbatched": lambda lib: passes(
        lib, lib.data.DataLoader(tensors(lib), sampler=[[0, 1], [5, 2]], batch_size=None)
    ),
    "tensors as indices": lambda lib: passes(
        lib, lib.data.DataLoader(tensors(lib), sampler=[lib.tensor(np.array(i)) for i in (3, 1, 2)], batch_size=2)
    ),
    "subset": lambda lib: passes(
        lib, lib.data.DataLoader(lib.data.Subset(tensors(lib), [3, 5, 9, 1]), batch_size=3, shuffle=True)
    ),
    "subset of a subset": lambda lib: passes(
        lib,
        lib.data.DataLoader(
            lib.data.Subset(lib.data.Subset(tensors(lib), range(3, 12)), np.array([1, 8])), batch_size=2
        ),
    ),
    "concatenation": lambda lib: passes(lib, lib.data.DataLoader(tensors(lib, 3) + tensors(lib, 4), batch_size=3)),
    "random_split": lambda lib: [part.indices for part in lib.data.random_split(range(10), [7, 3])],
    "random_split by fractions": lambda lib: [
        part.indices for part in lib.data.random_split(range(31), [0.3, 0.3, 0.4], generator=lib.generator(1))
    ],
    "RandomSampler": sampler_of("RandomSampler", range(9)),
    "RandomSampler, more than there are": sampler_of("RandomSampler", range(9), num_samples=20),
    "RandomSampler, replacement": sampler_of("RandomSampler", range(9), replacement=True, num_samples=70),
    "RandomSampler by a generator": sampler_with_generator("RandomSampler", range(9)),
    "RandomSampler by a generator, left early": sampler_with_generator("RandomSampler", range(9), taken=4),
    "RandomSampler, replacement, by a generator, left early": sampler_with_generator(
        "RandomSampler", range(9), replacement=True, num_samples=80, taken=40
    ),
    "RandomSampler, replacement, without end": sampler_with_generator(
        "RandomSampler", range(9), replacement=True, num_samples=10**15, taken=40
    ),
    "SubsetRandomSampler": sampler_of("SubsetRandomSampler", [4, 2, 9, 7]),
    "SubsetRandomSampler by a generator": sampler_with_generator("SubsetRandomSampler", "abcdef"),
    "WeightedRandomSampler": sampler_of("WeightedRandomSampler", WEIGHTS, 50),
    "WeightedRandomSampler, once each": sampler_of("WeightedRandomSampler", WEIGHTS, 5, replacement=False),
    "WeightedRandomSampler by a generator": sampler_with_generator("WeightedRandomSampler", WEIGHTS, 9),
    "BatchSampler": lambda lib: [list(lib.data.BatchSampler(range(10), 4, last)) for last in (False, True)],
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("seed", [0, 2**40 + 7])
def test_order_and_what_is_drawn_next_are_pytorchs(theirs, name, seed):
    found = []
    for lib in (theirs, Ours):
        lib.seed(seed)
        found.append((PROGRAMS[name](lib), lib.draw()))
    assert found[1] == found[0]


def test_every_sample_comes_once_and_in_a_new_order_in_each_pass():
    loader = data.DataLoader(tensors(Ours), batch_size=4, shuffle=True)
    first, second = [[label for _, labels in loader for label in read(labels).tolist()] for _ in range(2)]
    assert sorted(first) == sorted(second) == list(range(23))
    assert first != second


@pytest.mark.parametrize("options", [{}, {"batch_size": 4}, {"batch_size": 4, "drop_last": True}, {"batch_size": None}])
def test_lengths_are_the_numbers_of_batches(theirs, options):
    class Stream(data.IterableDataset):
        def __iter__(self):
            return iter(range(23))

        def __len__(self):
            return 23

    for dataset in (tensors(Ours), Stream()):
        loader = data.DataLoader(dataset, **options)
        assert len(loader) == len(list(loader)) == len(theirs.data.DataLoader(tensors(theirs), **options))
    assert len(iter(data.DataLoader(tensors(Ours), **options))) == len(data.DataLoader(tensors(Ours), **options))


# Collation


def samples(lib):
    """Name -> two or three samples of each kind of structure."""
    tensor = lib.tensor
    return {
        "tensors": [tensor(np.ones(3, np.float32)), tensor(np.zeros(3, np.float32))],
        "lone numbers": [tensor(np.array(3)), tensor(np.array(4))],
        "empty tensors": [tensor(np.zeros((0, 3))), tensor(np.zeros((0, 3)))],
        "matrices": [tensor(np.arange(6).reshape(2, 3).T), tensor(np.arange(6).reshape(3, 2))],
        "mixed types": [tensor(np.ones(2, np.int64)), tensor(np.zeros(2, np.float32))],
        "floats": [1.5, 2.0],
        "floats and integers": [1.5, 2],
        "integers": [1, 2**62],
        "integers and a float": [1, 2.5],
        "bools": [True, False],
        "integers and a bool": [2, True],
        "strings": ["a", "bc"],
        "bytes": [b"a", b"bc"],
        "arrays": [np.ones((2, 2), np.float32), np.zeros((2, 2), np.float32)],
        "arrays of mixed types": [np.ones(2, np.float32), np.zeros(2)],
        "lone arrays": [np.array(1.0), np.array(2.0)],
        "numpy f32": [np.float32(1), np.float32(2)],
        "numpy f64": [np.float64(1), np.float64(2)],
        "numpy i32": [np.int32(1), np.int32(2)],
        "numpy bool": [np.bool_(True), np.bool_(False)],
        "numpy mixed": [np.uint8(3), np.int64(4)],
        "tuples": [(1, 2.0), (3, 4.0)],
        "lists": [[1, "a"], [2, "b"]],
        "ranges": [range(3), range(3)],
        "named tuples": [Point(1, tensor(np.ones(2))), Point(2, tensor(np.ones(2)))],
        "dicts": [{"a": 1, "b": [2.0, (3, "x")]}, {"a": 4, "b": [5.0, (6, "y")]}],
        "ordered dicts": [OrderedDict(b=1, a=2), OrderedDict(a=3, b=4)],
        "user dicts": [UserDict(a=1), UserDict(a=2)],
    }


@pytest.mark.parametrize("kind", samples(Ours))
def test_collation_and_conversion_are_pytorchs(theirs, kind):
    for function in ("default_collate", "default_convert"):
        found = []
        for lib in (theirs, Ours):
            batch = samples(lib)[kind]
            found.append(plain(lib, getattr(lib.data, function)(batch)))
        assert found[1] == found[0]


def test_a_batch_is_a_copy_but_conversion_shares_memory():
    array = np.arange(4.0)
    (batch,) = next(iter(data.DataLoader(data.TensorDataset(from_array(array)), batch_size=4)))
    read(batch)[:] = -1
    assert array.tolist() == [0, 1, 2, 3]
    converted = data.default_convert({"x": array})["x"]
    array[0] = 9
    assert read(converted)[0] == 9


def test_collation_takes_functions_for_further_types():
    def join(batch, *, collate_fn_map):
        return set().union(*batch)

    batch = [(1, {2}), (3, {4})]
    found = data.collate(batch, collate_fn_map={**data.default_collate_fn_map, set: join})
    assert plain(Ours, found) == ("list", [("int64", (2,), [1, 3]), {2, 4}])


def test_a_batch_of_tensors_that_require_grad_requires_grad():
    inputs = from_array(np.arange(4.0), requires_grad=True)
    (batch,) = next(iter(data.DataLoader(data.TensorDataset(inputs), batch_size=2)))
    assert batch.requires_grad


def test_a_changed_tensor_dataset_is_asked_for_its_samples():
    class Doubled(data.TensorDataset):
        def __getitem__(self, index):
            return tuple(2 * read(tensor)[index] for tensor in self.tensors)

    for dataset in (Doubled(from_array(np.arange(3))), data.Subset(Doubled(from_array(np.arange(3))), [0, 1, 2])):
        (batch,) = next(iter(data.DataLoader(dataset, batch_size=3)))
        assert read(batch).tolist() == [0, 2, 4]


def test_getitems_fetches_a_batch_at_once():
    class Squares(data.Dataset):
        def __getitem__(self, index):
            raise LookupError

        def __getitems__(self, indices):
            return [index * index for index in indices]

    loader = data.DataLoader(
        data.StackDataset(a=data.Subset(Squares(), range(5)), b=list("vwxyz")), sampler=[4, 2], batch_size=2
    )
    assert plain(Ours, next(iter(loader))) == ("dict", {"a": ("int64", (2,), [16, 4]), "b": ("list", ["z", "x"])})


# Errors: the same types as PyTorch's.


def stream(lib):
    class Stream(lib.data.IterableDataset):
        def __iter__(self):
            return iter(range(5))

    return Stream()


def subset_with_getitem_alone(lib):
    class Lone(lib.data.Subset):
        def __getitem__(self, index):
            return 0

    return Lone([1], [0])


def changed_loader(lib):
    lib.data.DataLoader([1]).batch_size = 3


ERRORS = {
    "tensors of unequal length": lambda lib: lib.data.TensorDataset(lib.tensor(np.ones(2)), lib.tensor(np.ones(3))),
    "index out of range": lambda lib: tensors(lib)[23],
    "batch out of range": lambda lib: list(lib.data.DataLoader(tensors(lib), sampler=[0, 99], batch_size=2)),
    "no __getitem__": lambda lib: lib.data.Dataset()[0],
    "no __len__": lambda lib: len(lib.data.Dataset()),
    "no __iter__": lambda lib: iter(lib.data.Sampler()),
    "stream without __iter__": lambda lib: lib.data.IterableDataset(),
    "stack of unequal lengths": lambda lib: lib.data.StackDataset([1], [1, 2]),
    "stack of both kinds": lambda lib: lib.data.StackDataset([1], a=[1]),
    "stack of nothing": lambda lib: lib.data.StackDataset(),
    "concatenation of nothing": lambda lib: lib.data.ConcatDataset([]),
    "concatenation of a stream": lambda lib: lib.data.ConcatDataset([stream(lib)]),
    "concatenation out of range": lambda lib: lib.data.ConcatDataset([[1], [2]])[-3],
    "chain of no stream": lambda lib: list(lib.data.ChainDataset([[1]])),
    "subset with __getitem__ alone": subset_with_getitem_alone,
    "split of another length": lambda lib: lib.data.random_split(range(5), [3, 3]),
    "split by a wrong fraction": lambda lib: lib.data.random_split(range(5), [1.5, -0.5]),
    "no samples": lambda lib: lib.data.RandomSampler([]),
    "replacement no bool": lambda lib: lib.data.RandomSampler([1], replacement=1),
    "num_samples 0": lambda lib: lib.data.RandomSampler([1], num_samples=0),
    "weights of two axes": lambda lib: lib.data.WeightedRandomSampler([[0.1]], 1),
    "weights, num_samples": lambda lib: lib.data.WeightedRandomSampler([0.1], True),
    "weights, replacement": lambda lib: lib.data.WeightedRandomSampler([0.1], 1, 2),
    "too few weights": lambda lib: list(lib.data.WeightedRandomSampler([0.1], 2, False)),
    "batch_size 0": lambda lib: lib.data.DataLoader([1], batch_size=0),
    "batch_size no int": lambda lib: lib.data.DataLoader([1], batch_size=2.0),
    "drop_last no bool": lambda lib: lib.data.DataLoader([1], drop_last=1),
    "num_workers negative": lambda lib: lib.data.DataLoader([1], num_workers=-1),
    "timeout negative": lambda lib: lib.data.DataLoader([1], timeout=-1),
    "timeout without workers": lambda lib: iter(lib.data.DataLoader([1], timeout=1)),
    "prefetch without workers": lambda lib: lib.data.DataLoader([1], prefetch_factor=2),
    "persistent without workers": lambda lib: lib.data.DataLoader([1], persistent_workers=True),
    "context without workers": lambda lib: lib.data.DataLoader([1], multiprocessing_context="fork"),
    "unknown context": lambda lib: lib.data.DataLoader([1], num_workers=1, multiprocessing_context="x"),
    "context no context": lambda lib: lib.data.DataLoader([1], num_workers=1, multiprocessing_context=3),
    "sampler and shuffle": lambda lib: lib.data.DataLoader([1], shuffle=True, sampler=[0]),
    "batch_sampler and batch_size": lambda lib: lib.data.DataLoader([1], batch_size=2, batch_sampler=[[0]]),
    "batch_sampler and shuffle": lambda lib: lib.data.DataLoader([1], shuffle=True, batch_sampler=[[0]]),
    "batch_sampler and drop_last": lambda lib: lib.data.DataLoader([1], drop_last=True, batch_sampler=[[0]]),
    "unbatched and drop_last": lambda lib: lib.data.DataLoader([1], batch_size=None, drop_last=True),
    "stream and shuffle": lambda lib: lib.data.DataLoader(stream(lib), shuffle=True),
    "stream and sampler": lambda lib: lib.data.DataLoader(stream(lib), sampler=[0]),
    "stream and batch_sampler": lambda lib: lib.data.DataLoader(stream(lib), batch_sampler=[[0]]),
    "length of an unsized stream": lambda lib: len(lib.data.DataLoader(stream(lib))),
    "changed loader": changed_loader,
    "collate nothing known": lambda lib: lib.data.default_collate([None]),
    "collate complex": lambda lib: lib.data.default_collate([1j]),
    "collate unequal lengths": lambda lib: lib.data.default_collate([(1, 2), (1,)]),
    "collate unequal shapes": lambda lib: lib.data.default_collate([lib.tensor(np.ones(2)), lib.tensor(np.ones(3))]),
    "collate unequal arrays": lambda lib: lib.data.default_collate([np.ones(2), np.ones(3)]),
    "collate tensor and number": lambda lib: lib.data.default_collate([lib.tensor(np.ones(2)), 3]),
    "collate arrays of text": lambda lib: lib.data.default_collate([np.array(["a"])]),
    "collate float and text": lambda lib: lib.data.default_collate([1.5, "2"]),
    "collate missing key": lambda lib: lib.data.default_collate([{"a": 1}, {"b": 1}]),
}


@pytest.mark.parametrize("mistake", ERRORS)
def test_mistakes_raise_what_pytorch_raises(theirs, mistake):
    with pytest.raises(Exception) as expected:  # its type is what is compared
        ERRORS[mistake](theirs)
    with pytest.raises(expected.type):
        ERRORS[mistake](Ours)


# Workers


class Squares(data.Dataset):
    """Numbers and their squares; subclasses misbehave."""

    def __init__(self, count=12):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return {"x": from_array(np.full(3, index, np.float32)), "square": index * index, "pid": os.getpid()}


class Seeds(data.Dataset):
    def __init__(self, draw=None):
        self.draw = draw

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return [random.random(), np.random.rand(), self.draw()]


class Broken(Squares):
    def __init__(self, act):
        super().__init__()
        self.act = act

    def __getitem__(self, index):
        if index == 5:
            self.act()
        return index


class Share(data.IterableDataset):
    """Each worker gives its share of the numbers: shares of unequal length."""

    def __iter__(self):
        info = data.get_worker_info()
        return iter(range(11)) if info is None else iter(range(info.id, 11, info.num_workers + info.id))


def pids_of(iterator):
    return [worker.process.pid for worker in iterator._workers]


@pytest.fixture(autouse=True)
def _no_workers_left():
    yield
    if multiprocessing.active_children():
        gc.collect()
    assert multiprocessing.active_children() == []


def test_workers_give_what_this_process_gives_in_order():
    alone, helped = (list(data.DataLoader(Squares(), batch_size=5, num_workers=count)) for count in (0, 2))
    for mine, theirs in zip(alone, helped, strict=True):
        assert plain(Ours, mine["x"]) == plain(Ours, theirs["x"])
        assert plain(Ours, mine["square"]) == plain(Ours, theirs["square"])
    pids = {pid for batch in helped for pid in read(batch["pid"]).tolist()}
    assert len(pids) == 2
    assert os.getpid() not in pids


def test_large_arrays_arrive_whole_writable_and_of_their_type():
    class Images(data.Dataset):
        def __len__(self):
            return 8

        def __getitem__(self, index):
            noise = np.random.RandomState(index).randint(0, 255, (3, 100, 100))
            return noise.astype(np.uint8), noise.astype(np.float64), np.zeros((0, 2), np.float32)

    for mine, theirs in zip(
        *(data.DataLoader(Images(), batch_size=4, num_workers=count) for count in (0, 2)), strict=True
    ):
        for one, other in zip(mine, theirs, strict=True):
            assert read(one).dtype == read(other).dtype
            np.testing.assert_array_equal(read(one), read(other))
            assert read(other).flags.writeable


def test_tensors_that_are_not_computed_yet_and_tensors_with_a_history_meet_workers():
    inputs = from_array(np.arange(4.0), requires_grad=True)
    doubled = data.TensorDataset((inputs + inputs).detach())
    assert plain(Ours, list(data.DataLoader(doubled, batch_size=4, num_workers=1)))[1][0][1][0][2] == [0, 2, 4, 6]
    with pytest.raises(RuntimeError, match="detach"):
        list(data.DataLoader(data.TensorDataset(inputs), batch_size=4, num_workers=1))


@pytest.mark.parametrize("base", [0, 2**40 + 7])
def test_workers_random_generators_start_as_pytorchs(theirs, base):
    found = []
    for lib in (theirs, Ours):
        loader = lib.data.DataLoader(Seeds(lib.draw), num_workers=2, generator=lib.generator(base), collate_fn=list)
        found.append(list(loader))
    assert found[1] == found[0]


def test_worker_init_fn_runs_in_each_worker_after_seeding():
    def prepare(number):
        info = data.get_worker_info()
        assert (info.id, info.num_workers) == (number, 2)
        info.dataset.count = (number, info.seed, random.random())

    class Told(Squares):
        def __getitem__(self, index):
            return self.count

    generator = Ours.generator(4)
    base = Ours.generator(4).random_int64()
    loader = data.DataLoader(
        Told(2), num_workers=2, worker_init_fn=prepare, collate_fn=lambda batch: batch[0], generator=generator
    )
    assert list(loader) == [(n, base + n, random.Random(base + n).random()) for n in range(2)]
    assert data.get_worker_info() is None


class CustomError(Exception):
    def __init__(self, first, second):
        super().__init__(first, second)


@pytest.mark.parametrize(
    ("error", "seen"),
    [(ValueError("odd sample"), ValueError), (KeyError("missing"), KeyError), (CustomError(1, 2), RuntimeError)],
)
def test_an_exception_in_a_worker_is_raised_here_with_its_type_and_traceback(error, seen):
    def fail():
        raise error

    loader = iter(data.DataLoader(Broken(fail), batch_size=2, num_workers=2))
    assert [plain(Ours, next(loader))[2] for _ in range(2)] == [[0, 1], [2, 3]]
    with pytest.raises(seen) as raised:
        next(loader)
    assert type(raised.value) is seen
    assert f"Caught {type(error).__name__} in DataLoader worker process 0" in str(raised.value)
    assert "in fail\n    raise error" in str(raised.value)
    assert plain(Ours, next(loader))[2] == [6, 7]  # the other batches are there


def test_a_failing_worker_init_fn_and_a_batch_that_cannot_be_sent_are_raised_here():
    def fail(number):
        raise ValueError(f"worker {number} is not ready")

    with pytest.raises(ValueError, match="worker 0 is not ready"):
        next(iter(data.DataLoader(Squares(), num_workers=2, worker_init_fn=fail)))
    with pytest.raises(Exception, match="pickle"):
        next(iter(data.DataLoader(Squares(), num_workers=1, collate_fn=lambda batch: lambda: batch)))


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize(
    ("act", "how"), [(lambda: os.kill(os.getpid(), signal.SIGKILL), "SIGKILL"), (lambda: os._exit(3), "exit code 3")]
)
def test_a_worker_that_dies_is_noticed_at_once(act, how, in_order):
    started = time.monotonic()
    with pytest.raises(RuntimeError, match=rf"DataLoader worker \(pid \d+\) exited unexpectedly: .*{how}"):
        list(data.DataLoader(Broken(act), num_workers=2, in_order=in_order))
    assert time.monotonic() - started < 3


def test_a_worker_that_takes_too_long_is_an_error():
    with pytest.raises(RuntimeError, match="timed out"):
        list(data.DataLoader(Broken(lambda: time.sleep(1.0)), num_workers=1, timeout=0.2))


@pytest.mark.filterwarnings("ignore:.*worker processes in total")
@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_streams_are_shared_among_workers_as_in_pytorch(theirs, workers):
    class Theirs(theirs.data.IterableDataset):
        def __iter__(self):
            info = theirs.data.get_worker_info()
            return iter(range(11)) if info is None else iter(range(info.id, 11, info.num_workers + info.id))

    for size, last in ((None, False), (2, False), (2, True), (3, False)):
        options = {"batch_size": size, "drop_last": last, "num_workers": workers}
        expected = [plain(theirs, batch) for batch in theirs.data.DataLoader(Theirs(), **options)]
        assert [plain(Ours, batch) for batch in data.DataLoader(Share(), **options)] == expected


def test_persistent_workers_live_on_and_begin_each_pass_afresh():
    loader = data.DataLoader(Share(), batch_size=2, num_workers=2, persistent_workers=True)
    first = [plain(Ours, batch) for batch in loader]
    pids = pids_of(iter(loader))  # a pass that is left at once
    for _ in loader:  # and one that is left half-way
        break
    assert [plain(Ours, batch) for batch in loader] == first
    assert pids_of(iter(loader)) == pids


def test_out_of_order_batches_come_as_they_are_ready():
    class Slow(Squares):
        def __getitem__(self, index):
            time.sleep(0.5 if index == 0 else 0)
            return index

    found = [read(batch).item() for batch in data.DataLoader(Slow(8), num_workers=2, in_order=False)]
    assert sorted(found) == list(range(8))
    assert found[0] != 0


def test_workers_stop_when_the_loop_is_left():
    iterator = iter(data.DataLoader(Squares(1000), num_workers=2))
    next(iterator)
    processes = [worker.process for worker in iterator._workers]
    started = time.monotonic()
    del iterator
    gc.collect()
    assert time.monotonic() - started < 2
    assert [process.exitcode for process in processes] == [0, 0]


# Whole programs


@pytest.fixture
def start(tmp_path):
    """Start a program that may load the samples `Slow`, in a process group of its own."""
    started = []

    def start(program):
        script = tmp_path / "program.py"
        script.write_text(textwrap.dedent(SLOW) + textwrap.indent(textwrap.dedent(program), "    "))
        process = subprocess.Popen(
            [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


SLOW = """
    import time
    from kadam.utils.data import DataLoader, Dataset

    class Slow(Dataset):
        def __len__(self):
            return 1000

        def __getitem__(self, index):
            time.sleep(0.01)
            return index

    if __name__ == "__main__":
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_workers_start_by_other_methods(start, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip("not on this system")
    process = start(f"""
        loader = DataLoader(Slow(), batch_size=2, num_workers=2, sampler=range(5), multiprocessing_context="{method}")
        print([batch.tolist() for batch in loader])
    """)
    assert process.communicate(timeout=60) == ("[[0, 1], [2, 3], [4]]\n", "")


LOOP = """
    for count, _ in enumerate(DataLoader(Slow(), num_workers=2, persistent_workers=True)):
        if count == 3:
            print("at work", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_ends_the_program_and_its_workers_quietly(start):
    process = start(LOOP)
    assert process.stdout.readline() == "at work\n"
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=20)  # until the workers too have closed the pipes: until they have ended
    assert process.returncode == -signal.SIGINT
    assert told.count("Traceback") == 1  # the program's own


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_workers_end_with_a_program_that_is_killed(start):
    process = start(LOOP)
    assert process.stdout.readline() == "at work\n"
    process.kill()
    assert process.communicate(timeout=5) == ("", "")


def test_a_program_ends_while_its_workers_are_at_work(start):
    process = start("""
        iterator = iter(DataLoader(Slow(), num_workers=2))
        next(iterator)
        print("done")
    """)
    assert process.communicate(timeout=20) == ("done\n", "")
    assert process.returncode == 0

"""The generator draws PyTorch's numbers bit for bit: fixed ones, exact arithmetic, and PyTorch itself."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from kadam.engines.native import random_numbers
from kadam.errors import UnsupportedError
from kadam.recording import gaussian, tiers, twister
from kadam.recording.generator import Generator, default_generator
from kadam.recording.rounding import c_function, fused_f32, fused_f64, through
from kadam.recording.words import swapped
from same_draws import torch_with_the_same_numbers

SEEDS = (0, 42, 1234, 2**40 + 7)
FLOATS = ("float32", "float64", "float16", "bfloat16")
INTEGERS = ("int64", "int32", "int16", "int8", "uint8")
SIZES = ((0,), (1,), (2, 7), (15,), (16,), (17,), (31,), (2, 3, 5), (100,), (20_003,))


def numpy_type(name: str) -> np.dtype[Any]:
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)


def bits(array: Any) -> Any:
    """Values as integers, of NumPy or of PyTorch, so that -0 is not 0 and NaN is itself."""
    if not isinstance(array, np.ndarray):
        array = array.view(pytest.importorskip("torch").int16) if "bfloat16" in str(array.dtype) else array
        array = array.numpy()
    if array.dtype.kind == "c":
        array = np.stack([array.real, array.imag], -1)
    return array.view(f"i{array.dtype.itemsize}") if array.dtype.kind in "fV" else array


class Pair:
    """A generator of PyTorch's and one of Kadam's, with the same seed."""

    def __init__(self, torch: Any, seed: int) -> None:
        self.torch = torch
        self.theirs, self.ours = torch.Generator().manual_seed(seed), Generator().manual_seed(seed)

    def empty(self, shape: tuple[int, ...], dtype: str) -> Any:
        return self.torch.empty(shape, dtype=getattr(self.torch, dtype))

    def agree(self, expected: Any, drawn: np.ndarray[Any, Any]) -> None:
        assert tuple(expected.shape) == drawn.shape
        assert str(expected.dtype).removeprefix("torch.") == drawn.dtype.name
        np.testing.assert_array_equal(bits(drawn), bits(expected))


@pytest.fixture(params=(1 << 62, -1), ids=("numpy", "compiled"), autouse=True)
def made_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs twice: with few words drawn so far, and with many."""
    monkeypatch.setattr(twister, "MANY", request.param)
    monkeypatch.setattr(twister, "FEW", request.param)
    monkeypatch.setattr(tiers, "NATIVE_AFTER", 2)


@pytest.fixture(params=SEEDS)
def pair(request: pytest.FixtureRequest) -> Pair:
    return Pair(torch_with_the_same_numbers(), request.param)


# --- without PyTorch --------------------------------------------------------------------------------------------------


def test_the_words_are_the_mersenne_twister_s() -> None:
    generator = Generator().manual_seed(5489)
    words = generator.integers(0, 2**28 - 1, (10_000,))
    assert words[0] == 3499211612 % (2**28 - 1)
    assert words[-1] == 4123659995 % (2**28 - 1)  # the value that the C++ standard requires of std::mt19937


def test_the_numbers_that_every_tutorial_prints() -> None:
    generator = Generator()
    np.testing.assert_allclose(
        generator.manual_seed(0).uniform((5,)), [0.4963, 0.7682, 0.0885, 0.1320, 0.3074], atol=5e-5
    )
    np.testing.assert_allclose(
        generator.manual_seed(0).normal((5,)), [1.5410, -0.2934, -2.1788, 0.5684, -1.0845], atol=5e-5
    )
    np.testing.assert_allclose(generator.manual_seed(42).normal((3,)), [0.3367, 0.1288, 0.2345], atol=5e-5)


def nearest_f32(exact: Fraction) -> np.float32:
    guess = np.float32(float(exact))
    near = [np.nextafter(guess, np.float32(-np.inf)), guess, np.nextafter(guess, np.float32(np.inf))]
    return min(near, key=lambda one: (abs(Fraction(float(one)) - exact), int(one.view(np.int32)) & 1))


def test_fused_f32_rounds_once() -> None:
    draw = np.random.default_rng(0)
    # Products of about half the last digit of c, a hair above or below: rounding twice goes wrong in half of them.
    c = draw.uniform(1, 2, 4000).astype(np.float32).astype(np.float64)
    near_one = 1 + draw.integers(-3, 4, (2, 4000)) * 2.0**-23
    a, b = near_one[0].astype(np.float32) * 2.0**-24, near_one[1].astype(np.float32)
    a, b = a.astype(np.float64) * draw.choice([-1, 1], 4000), b.astype(np.float64)
    expected = [nearest_f32(Fraction(x) * Fraction(y) + Fraction(z)) for x, y, z in zip(a, b, c, strict=True)]
    np.testing.assert_array_equal(fused_f32(a, b, c), expected)
    assert ((a * b + c).astype(np.float32) != expected).any()


@pytest.mark.parametrize(("b", "c"), [(0.7, 0.3), (-1.3e5, 2.0), (1.0, 1e-9), (0.1, 0.0), (3.0, -2.9999999)])
def test_fused_f64_rounds_once(b: float, c: float) -> None:
    a = np.random.default_rng(0).normal(size=3000)
    expected = [float(Fraction(x) * Fraction(b) + Fraction(c)) for x in a.tolist()]
    np.testing.assert_array_equal(fused_f64(a, b, c), expected)


@pytest.mark.parametrize("name", ["log", "log1p", "exp", "sin", "cos", "tan"])
def test_functions_are_the_c_library_s(name: str) -> None:
    x = np.random.default_rng(0).uniform(0, 6, 5000)
    expected = np.array([getattr(math, name)(value) for value in x.tolist()])
    np.testing.assert_array_equal(c_function(name, x), expected)
    np.testing.assert_array_equal(through(name, x, lambda y: y.astype(np.float32)), expected.astype(np.float32))
    np.testing.assert_array_equal(through(name, x, np.ceil), np.ceil(expected))


@pytest.mark.parametrize("n", [1, 2, 3, 10, 1000])
def test_swaps_one_after_the_other(n: int) -> None:
    draw = np.random.default_rng(n)
    targets = np.array([draw.integers(i, n) for i in range(n)])
    order = np.arange(n)
    for i, target in enumerate(targets):
        order[i], order[target] = order[target], order[i]
    np.testing.assert_array_equal(swapped(targets), order)


def test_a_normal_number_is_normal() -> None:
    drawn = Generator().manual_seed(3).normal((400_000,)).astype(np.float64)
    assert abs(drawn.mean()) < 0.01
    assert abs(drawn.std() - 1) < 0.01
    assert abs((np.abs(drawn) < 1).mean() - math.erf(math.sqrt(0.5))) < 0.005


def test_a_copy_goes_on_where_the_generator_stands() -> None:
    generator = Generator().manual_seed(7)
    generator.normal((3,))  # one normal number waits
    copies = [copy.deepcopy(generator), pickle.loads(pickle.dumps(generator)), generator.clone_state()]
    expected = generator.normal((5,))
    for one in copies:
        np.testing.assert_array_equal(one.normal((5,)), expected)
        assert one.initial_seed() == 7


def test_seeds() -> None:
    generator = Generator()
    assert generator.manual_seed(3) is generator
    assert generator.initial_seed() == 3
    assert generator.manual_seed(-1).initial_seed() == 2**64 - 1
    assert generator.seed() == generator.initial_seed()
    assert generator.seed() != generator.seed()
    assert Generator().initial_seed() == 67280421310721
    assert isinstance(default_generator, Generator)
    for seed in (2**64, -(2**63) - 1):
        with pytest.raises(ValueError, match="Overflow"):
            generator.manual_seed(seed)
    with pytest.raises(TypeError, match="expected a long"):
        generator.manual_seed(1.5)  # type: ignore[arg-type]


def test_what_is_no_state_is_refused() -> None:
    with pytest.raises(RuntimeError, match="of size 5056"):
        Generator().set_state_bytes(np.zeros(5, np.uint8))
    with pytest.raises(RuntimeError, match="Invalid mt19937 state"):
        Generator().set_state_bytes(np.zeros(5056, np.uint8))


def test_huge_permutations_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="randperm"):
        Generator().permutation(2**28)


# --- against PyTorch: each test also shows, by its next draw, that as many words were taken ---------------------------


@pytest.mark.parametrize("dtype", [*FLOATS, "complex64", "complex128"])
def test_uniform(pair: Pair, dtype: str) -> None:
    kind, third = numpy_type(dtype), 1 / math.sqrt(784)
    for shape in SIZES:
        for low, high in ((0.0, 1.0), (-0.1, 0.1), (-third, third), (2.0, 5.5), (1.0, 1.0009), (3.0, 3.0)):
            expected = pair.empty(shape, dtype).uniform_(low, high, generator=pair.theirs)
            pair.agree(expected, pair.ours.uniform(shape, low, high, kind))


@pytest.mark.parametrize("dtype", [*FLOATS, "complex64", "complex128"])
def test_normal(pair: Pair, dtype: str) -> None:
    for shape in SIZES:
        for mean, std in ((0.0, 1.0), (0.0, 0.02), (0.5, 0.02), (-3.0, 1.0), (2.0, 0.0)):
            expected = pair.empty(shape, dtype).normal_(mean, std, generator=pair.theirs)
            pair.agree(expected, pair.ours.normal(shape, mean, std, numpy_type(dtype)))


def test_the_second_normal_number_of_a_pair_waits(pair: Pair) -> None:
    for size in (3, 2, 1, 5, 20, 1, 0, 4):
        pair.agree(pair.torch.randn(size, generator=pair.theirs), pair.ours.normal((size,)))
        pair.agree(pair.torch.rand(1, generator=pair.theirs), pair.ours.uniform((1,)))


def test_normal_numbers_for_memory_with_gaps(pair: Pair) -> None:
    expected = pair.torch.empty(40, 2)[:, 0].normal_(0.5, 2.0, generator=pair.theirs)
    pair.agree(expected, pair.ours.normal((40,), 0.5, 2.0, contiguous=False))


def untempered(words: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The twister's state that gives these words next."""
    state = words ^ (words >> 18)
    state ^= (state << 15) & 0xEFC60000
    part = state
    for _ in range(4):
        part = state ^ ((part << 7) & 0x9D2C5680)
    first = part ^ (part >> 11)
    return part ^ (first >> 11)


def test_every_float32_that_normal_numbers_are_made_of() -> None:
    """PyTorch is made to use each of the 2^24 uniform numbers as a radius and as an angle."""
    torch = torch_with_the_same_numbers()
    generator, words_at_once = torch.Generator(), 608
    state = generator.get_state().numpy().copy()
    state[8:12].view(np.int32)[0], state[16:24].view(np.uint64)[0] = 624, 0  # nothing drawn yet
    twister, fed = state[24 : 24 + 624 * 8].view(np.uint64), torch.from_numpy(state)
    radii = np.arange(1 << 24, dtype=np.uint32)
    words = np.stack([radii.reshape(-1, 8), ((radii * np.uint32(2654435761)) & 0xFFFFFF).reshape(-1, 8)], 1)
    expected = torch.empty(words.size)
    for start in range(0, words.size, words_at_once):
        part = untempered(words.reshape(-1)[start : start + words_at_once])
        twister[: len(part)] = part
        generator.set_state(fed)
        expected[start : start + len(part)].normal_(generator=generator)
    for one in (gaussian, random_numbers):
        rows = np.concatenate([one.normal_rows(part, 0.0, 1.0) for part in np.split(words.reshape(-1), 1024)])
        assert (bits(rows) != bits(expected)).sum() == 0


def test_integers(pair: Pair) -> None:
    ranges = ((0, 2), (-5, 3), (0, 2**28 - 1), (-5, 2**28 - 5), (0, 2**40), (-(2**63), 2**63 - 1), (0, 2**63 - 1))
    for shape in SIZES:
        for low, high in ranges:
            expected = pair.torch.randint(low, high, shape, generator=pair.theirs)
            pair.agree(expected, pair.ours.integers(low, high, shape))
    everything = pair.empty((100,), "int64").random_(-(2**63), None, generator=pair.theirs)
    pair.agree(everything, pair.ours.integers(-(2**63), 2**63, (100,)))


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS, "bool"])
def test_integers_of_every_type(pair: Pair, dtype: str) -> None:
    for shape in SIZES:
        high = 2 if dtype == "bool" else 100
        expected = pair.empty(shape, dtype).random_(0, high, generator=pair.theirs)
        pair.agree(expected, pair.ours.integers(0, high, shape, numpy_type(dtype)))
        pair.agree(pair.empty(shape, dtype).random_(generator=pair.theirs), pair.ours.random(shape, numpy_type(dtype)))


def test_random_int64(pair: Pair) -> None:
    expected = pair.torch.empty((), dtype=pair.torch.int64).random_(generator=pair.theirs).item()
    assert pair.ours.random_int64() == expected


@pytest.mark.parametrize("n", [0, 1, 2, 3, 10, 1000, 60_000])
def test_permutation(pair: Pair, n: int) -> None:
    pair.agree(pair.torch.randperm(n, generator=pair.theirs), pair.ours.permutation(n))
    pair.agree(pair.torch.rand(1, generator=pair.theirs), pair.ours.uniform((1,)))


def test_bernoulli_with_one_probability(pair: Pair) -> None:
    for p in (0.0, 1.0, 0.5, 0.3, 1 - 0.1, 1e-9, 1 - 1e-9, 2.0**-21):
        for shape in SIZES:
            pair.agree(pair.empty(shape, "bool").bernoulli_(p, generator=pair.theirs), pair.ours.bernoulli(shape, p))


@pytest.mark.parametrize("dtype", FLOATS)
def test_bernoulli_with_a_probability_each(pair: Pair, dtype: str) -> None:
    p = np.linspace(0, 1, 1000).astype(numpy_type(dtype))
    theirs = pair.torch.from_numpy(p.astype(np.float64)).to(getattr(pair.torch, dtype))
    expected = pair.torch.bernoulli(theirs, generator=pair.theirs).bool()
    pair.agree(expected, pair.ours.bernoulli(p.shape, p))


DISTRIBUTIONS = [
    ("exponential", (1.0,), FLOATS),
    ("exponential", (0.3,), FLOATS),
    ("geometric", (0.3,), (*FLOATS, "int64", "uint8")),
    ("geometric", (0.004,), (*FLOATS, "int64")),
    ("log_normal", (1.0, 2.0), FLOATS),
    ("log_normal", (0.1, 0.5), FLOATS),
    ("cauchy", (0.0, 1.0), FLOATS),
    ("cauchy", (0.3, 0.7), FLOATS),
]


@pytest.mark.parametrize(("name", "parameters", "dtypes"), DISTRIBUTIONS)
def test_other_distributions(pair: Pair, name: str, parameters: tuple[float, ...], dtypes: tuple[str, ...]) -> None:
    for dtype in dtypes:
        for shape in ((0,), (3,), (17,), (2, 3000)):
            expected = getattr(pair.empty(shape, dtype), name + "_")(*parameters, generator=pair.theirs)
            pair.agree(expected, getattr(pair.ours, name)(shape, *parameters, numpy_type(dtype)))


@pytest.mark.parametrize("dtype", FLOATS)
def test_poisson(pair: Pair, dtype: str) -> None:
    rates = np.concatenate([[0.0], np.linspace(0, 60, 1500)]).astype(numpy_type(dtype))
    theirs = pair.torch.from_numpy(rates.astype(np.float64)).to(getattr(pair.torch, dtype))
    pair.agree(pair.torch.poisson(theirs, generator=pair.theirs), pair.ours.poisson(rates))


MULTINOMIALS = [(dtype, *how) for dtype in FLOATS for how in ((1, False), (1, True), (200, True))]
# (In half precision many scores are equal, and PyTorch leaves open in which order it takes equal ones.)
MULTINOMIALS += [(dtype, samples, False) for dtype in ("float32", "float64") for samples in (5, 65)]


@pytest.mark.parametrize(("dtype", "samples", "replacement"), MULTINOMIALS)
def test_multinomial(pair: Pair, dtype: str, samples: int, replacement: bool) -> None:
    weights = np.random.default_rng(0).random((7, 65)).astype(numpy_type(dtype))
    theirs = pair.torch.from_numpy(weights.astype(np.float64)).to(getattr(pair.torch, dtype))
    expected = pair.torch.multinomial(theirs, samples, replacement, generator=pair.theirs)
    pair.agree(expected, pair.ours.multinomial(weights, samples, replacement))


def test_draws_of_all_kinds_in_turn(pair: Pair) -> None:
    torch, theirs, ours = pair.torch, pair.theirs, pair.ours
    turns: list[tuple[Callable[[], Any], Callable[[], np.ndarray[Any, Any]]]] = [
        (lambda: torch.rand(5, generator=theirs), lambda: ours.uniform((5,))),
        (lambda: torch.randn(7, generator=theirs), lambda: ours.normal((7,))),
        (lambda: torch.randn(100, generator=theirs), lambda: ours.normal((100,))),
        (lambda: torch.randperm(9, generator=theirs), lambda: ours.permutation(9)),
        (lambda: torch.randint(0, 2**33, (3,), generator=theirs), lambda: ours.integers(0, 2**33, (3,))),
        (lambda: torch.empty(9).exponential_(generator=theirs), lambda: ours.exponential((9,))),
        (lambda: torch.empty(5).log_normal_(generator=theirs), lambda: ours.log_normal((5,), 1.0, 2.0)),
    ]
    for _ in range(40):
        for expected, drawn in turns:
            pair.agree(expected(), drawn())


# --- states -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("drawn", [0, 1, 5, 623, 624, 625, 1247, 1248, 1249])
def test_states_are_pytorch_s(pair: Pair, drawn: int) -> None:
    pair.torch.rand(drawn, generator=pair.theirs)
    pair.ours.uniform((drawn,))
    for _ in range(2):  # the second time, with a normal number that waits
        state = pair.theirs.get_state()
        np.testing.assert_array_equal(pair.ours.state_bytes(), state.numpy())
        resumed = Generator().set_state_bytes(state.numpy())
        theirs = pair.torch.Generator().set_state(pair.torch.from_numpy(pair.ours.state_bytes()))
        np.testing.assert_array_equal(resumed.state_bytes(), state.numpy())
        pair.agree(pair.torch.randn(3, generator=theirs), resumed.normal((3,)))
        pair.torch.randn(3, generator=pair.theirs)
        pair.ours.normal((3,))


def test_only_the_lowest_32_bits_of_a_seed_count(pair: Pair) -> None:
    one, other = Generator().manual_seed(5), Generator().manual_seed(2**32 + 5)
    assert one.initial_seed() != other.initial_seed()
    np.testing.assert_array_equal(one.state_bytes()[8:], other.state_bytes()[8:])
    theirs = pair.torch.Generator().manual_seed(2**32 + 5)
    np.testing.assert_array_equal(other.state_bytes(), theirs.get_state().numpy())


# --- what PyTorch does with its draws ---------------------------------------------------------------------------------


@pytest.fixture
def default_pair(pair: Pair) -> Pair:
    """The pair, with PyTorch's default generator in the place of its own."""
    pair.theirs = pair.torch.manual_seed(pair.ours.initial_seed())
    return pair


def test_dropout(default_pair: Pair) -> None:
    torch, ours = default_pair.torch, default_pair.ours
    x = np.arange(1, 1001, dtype=np.float32) / 7
    kept = ours.bernoulli(x.shape, 1 - 0.1).astype(np.float32) / np.float32(1 - 0.1)
    default_pair.agree(torch.nn.functional.dropout(torch.from_numpy(x), 0.1, True), x * kept)
    kept = ours.bernoulli((4, 6, 1, 1), 0.5).astype(np.float32) * np.float32(2)
    expected = torch.nn.functional.dropout2d(torch.ones(4, 6, 5, 5), 0.5, True)
    default_pair.agree(expected, np.broadcast_to(kept, (4, 6, 5, 5)).copy())


def test_shuffled_batches(default_pair: Pair) -> None:
    """Each pass over a DataLoader draws a seed for its workers, then one for its order."""
    torch, ours = default_pair.torch, default_pair.ours
    data = torch.utils.data.TensorDataset(torch.arange(103))
    shuffled = torch.utils.data.DataLoader(data, batch_size=10, shuffle=True)
    for _ in range(2):
        expected = torch.cat([batch[0] for batch in shuffled])
        ours.random_int64()
        default_pair.agree(expected, Generator().manual_seed(ours.random_int64()).permutation(103))
    list(torch.utils.data.DataLoader(data))
    ours.random_int64()
    default_pair.agree(torch.rand(1), ours.uniform((1,)))


def test_random_split(default_pair: Pair) -> None:
    parts = default_pair.torch.utils.data.random_split(range(10), [7, 3])
    order = default_pair.ours.permutation(10).tolist()
    assert [list(part.indices) for part in parts] == [order[:7], order[7:]]

"""Random tensors: the functions and methods that draw, with PyTorch's overloads, types, errors and order of draws."""

from __future__ import annotations

from typing import Any

import pytest

import kadam
from same_draws import Call, check_same, torch_with_the_same_numbers

FLOATS = ("float32", "float64", "float16", "bfloat16")
DTYPES = (*FLOATS, "int64", "int32", "int16", "int8", "uint8", "bool", "complex64", "complex128")


@pytest.fixture(autouse=True)
def _same_start() -> None:
    kadam.manual_seed(0)


@pytest.fixture(scope="module")
def torch() -> Any:
    return torch_with_the_same_numbers()


# --- without PyTorch --------------------------------------------------------------------------------------------------


def test_a_seed_repeats_its_numbers() -> None:
    first = kadam.manual_seed(3), kadam.rand(4).tolist(), kadam.randn(4).tolist()
    again = kadam.manual_seed(3), kadam.rand(4).tolist(), kadam.randn(4).tolist()
    assert first == again
    assert kadam.initial_seed() == 3
    assert kadam.seed() == kadam.initial_seed() != 3


def test_the_numbers_that_every_tutorial_prints() -> None:
    assert repr(kadam.rand(5)) == "tensor([0.4963, 0.7682, 0.0885, 0.1320, 0.3074])"
    kadam.manual_seed(0)
    assert repr(kadam.randn(5)) == "tensor([ 1.5410, -0.2934, -2.1788,  0.5684, -1.0845])"
    kadam.manual_seed(42)
    assert repr(kadam.randn(3)) == "tensor([0.3367, 0.1288, 0.2345])"


def test_states_come_back() -> None:
    kadam.randn(3)
    state = kadam.get_rng_state()
    assert state.dtype is kadam.uint8
    first = kadam.randn(5).tolist()
    kadam.set_rng_state(state)
    assert kadam.randn(5).tolist() == first
    with pytest.raises(TypeError, match="ByteTensor"):
        kadam.set_rng_state(kadam.zeros(5056))


@pytest.mark.parametrize("enabled", [True, False])
def test_fork_rng_leaves_no_trace(enabled: bool) -> None:
    state = kadam.get_rng_state()
    with kadam.random.fork_rng(enabled=enabled):
        kadam.manual_seed(99)
        kadam.rand(3)
    assert kadam.equal(kadam.get_rng_state(), state) == enabled


def test_a_generator_of_its_own_leaves_the_default_one_alone() -> None:
    state = kadam.get_rng_state()
    own = kadam.Generator().manual_seed(1)
    x = kadam.zeros(3)
    x.uniform_(generator=own), x.normal_(generator=own), x.random_(5, generator=own), x.bernoulli_(0.5, generator=own)
    kadam.multinomial(kadam.ones(4), 2, generator=own)
    assert kadam.equal(kadam.get_rng_state(), state)
    with pytest.raises(TypeError, match="Generator"):
        kadam.rand(3, generator=3)


def test_a_draw_is_a_leaf_that_may_require_grad() -> None:
    x = kadam.rand(3, requires_grad=True)
    assert x.is_leaf
    with pytest.raises(RuntimeError, match="leaf Variable"):
        x.uniform_()
    with kadam.no_grad():
        before = x.tolist()
        assert x.uniform_().tolist() != before


def test_a_draw_is_seen_by_what_comes_after_it_only() -> None:
    x = kadam.zeros(4)
    doubled = x * 2
    x.uniform_(1, 2)
    assert doubled.tolist() == [0.0] * 4
    assert min((x * 2).tolist()) >= 2.0


def test_bernoulli_probabilities_are_checked() -> None:
    for p in (1.5, -0.1):
        with pytest.raises(RuntimeError, match=r"\[0, 1\]"):
            kadam.bernoulli(kadam.tensor([0.3, p]))
        with pytest.raises(RuntimeError, match=r"\[0, 1\]"):
            kadam.zeros(3).bernoulli_(p)


# --- new tensors, against PyTorch -------------------------------------------------------------------------------------

NEW: dict[str, Call] = {
    "sizes": lambda t: t.rand(2, 3),
    "sizes as a tuple": lambda t: t.rand((2, 3)),
    "sizes as a list": lambda t: t.randn([4, 5]),
    "sizes by name": lambda t: t.rand(size=(5,)),
    "a Size": lambda t: t.randn(t.zeros(2, 3).size()),
    "no axes": lambda t: t.rand(()),
    "no elements": lambda t: t.randn(0, 3),
    "a negative size": lambda t: t.rand(-1),
    "a fraction as a size": lambda t: t.rand(2.0),
    "a size from a tensor": lambda t: t.rand(t.tensor(3), 2),
    "placement": lambda t: t.rand(3, device="cpu", pin_memory=False, requires_grad=True),
    "unknown keyword": lambda t: t.rand(3, nonsense=1),
    "few normal": lambda t: t.randn(5),
    "many normal": lambda t: t.randn(7, 41),
    "out": lambda t: t.rand(2, 3, out=t.empty(2, 3)),
    "out of another type": lambda t: t.randn(20, out=t.empty(20, dtype=t.float64)),
    "out against dtype": lambda t: t.rand(3, out=t.empty(3), dtype=t.float64),
    "empty out": lambda t: t.randperm(5, out=t.empty(0, dtype=t.int64)),
    "randint to": lambda t: t.randint(5, (30,)),
    "randint from to": lambda t: t.randint(2, 5, (30,)),
    "randint sized by name": lambda t: t.randint(2, 5, size=(30,)),
    "randint by names": lambda t: t.randint(high=10, size=(20,)),
    "randint by all names": lambda t: t.randint(low=3, high=10, size=(20,)),
    "randint without a tuple": lambda t: t.randint(10, 2),
    "randint without a size": lambda t: t.randint(10),
    "randint empty range": lambda t: t.randint(5, 5, (2,)),
    "randint negative range": lambda t: t.randint(-1, (2,)),
    "randint of a fraction": lambda t: t.randint(1.5, (2,)),
    "randint of a tensor": lambda t: t.randint(0, t.tensor(5), (20,)),
    "randint wide": lambda t: t.randint(0, 2**40, (20,)),
    "randint widest": lambda t: t.randint(-(2**63), 2**63 - 1, (20,)),
    "randperm": lambda t: t.randperm(100),
    "randperm of none": lambda t: t.randperm(0),
    "randperm negative": lambda t: t.randperm(-1),
    "randperm of a fraction": lambda t: t.randperm(2.5),
    "normal sized": lambda t: t.normal(2.0, 3.0, (20,)),
    "normal sized by name": lambda t: t.normal(2, 3, size=(4, 5)),
    "normal without a size": lambda t: t.normal(0, 1),
    "normal of negative std": lambda t: t.normal(0.0, -1.0, (2,)),
    "normal means": lambda t: t.normal(t.arange(20.0)),
    "normal means, std": lambda t: t.normal(t.arange(20.0), 0.1),
    "normal mean, stds": lambda t: t.normal(0.1, t.arange(20.0)),
    "normal means, stds": lambda t: t.normal(t.arange(20.0), t.arange(1.0, 3.0).reshape(2, 1)),
    "normal means, double stds": lambda t: t.normal(t.arange(20.0), t.arange(20.0, dtype=t.float64)),
    "normal negative stds": lambda t: t.normal(0.0, -t.ones(2)),
    "normal shapes disagree": lambda t: t.normal(t.zeros(2), t.ones(3)),
    "poisson": lambda t: t.poisson(t.arange(40.0)),
    "poisson negative": lambda t: t.poisson(-t.ones(2)),
    "poisson of integers": lambda t: t.poisson(t.arange(4)),
}


@pytest.mark.parametrize("name", NEW)
def test_new_tensors(torch: Any, name: str) -> None:
    check_same(torch, NEW[name])


@pytest.mark.parametrize("dtype", DTYPES)
def test_new_tensors_of_every_type(torch: Any, dtype: str) -> None:
    calls: list[Call] = [
        lambda t: t.rand(20, dtype=getattr(t, dtype)),
        lambda t: t.randn(20, dtype=getattr(t, dtype)),
        lambda t: t.randn(3, dtype=getattr(t, dtype)),
        lambda t: t.randint(2, (20,), dtype=getattr(t, dtype)),
        lambda t: t.randint(-5, 100, (20,), dtype=getattr(t, dtype)),
        lambda t: t.randint(300, (20,), dtype=getattr(t, dtype)),
        lambda t: t.randint(3000, (20,), dtype=getattr(t, dtype)),
        lambda t: t.randint(-70000, 2**24 + 5, (20,), dtype=getattr(t, dtype)),
        lambda t: t.randint(5, 2**53 + 8, (20,), dtype=getattr(t, dtype)),
        lambda t: t.randperm(5, dtype=getattr(t, dtype)),
        lambda t: t.randperm(300, dtype=getattr(t, dtype)),
        lambda t: t.randperm(3000, dtype=getattr(t, dtype)),
        lambda t: t.normal(0.5, 2.0, (30,), dtype=getattr(t, dtype)),
    ]
    for call in calls:
        check_same(torch, call)


@pytest.mark.parametrize("dtype", [*FLOATS, "int64"])
def test_in_the_image_of_another(torch: Any, dtype: str) -> None:
    calls: list[Call] = [
        lambda t: t.rand_like(t.zeros(4, 5, dtype=getattr(t, dtype))),
        lambda t: t.randn_like(t.zeros(4, 5, dtype=getattr(t, dtype))),
        lambda t: t.rand_like(t.zeros(4, 5, dtype=getattr(t, dtype)), dtype=t.float64, requires_grad=True),
        lambda t: t.randint_like(t.zeros(9, dtype=getattr(t, dtype)), 5),
        lambda t: t.randint_like(t.zeros(9, dtype=getattr(t, dtype)), 2, 5),
        lambda t: t.randint_like(t.zeros(9, dtype=getattr(t, dtype)), high=5, low=2, dtype=t.int64),
        lambda t: t.bernoulli(t.full((30,), 0.3).to(getattr(t, dtype))),
        lambda t: t.bernoulli(t.zeros(30, dtype=getattr(t, dtype)), 0.3),
        lambda t: t.bernoulli(t.zeros(30, dtype=getattr(t, dtype)), p=1.5),
    ]
    for call in calls:
        check_same(torch, call)


# --- memory filled in place, against PyTorch --------------------------------------------------------------------------

FILLS: dict[str, Call] = {
    "uniform_()": lambda x: x.uniform_(),
    "uniform_(from, to)": lambda x: x.uniform_(-0.3, 0.7),
    "uniform_(to=)": lambda x: x.uniform_(to=3),
    "uniform_(from=)": lambda x: x.uniform_(**{"from": 2, "to": 3}),
    "uniform_ backwards": lambda x: x.uniform_(2, 1),
    "uniform_ too far": lambda x: x.uniform_(0, 1e39),
    "uniform_ by another name": lambda x: x.uniform_(a=3),
    "normal_()": lambda x: x.normal_(),
    "normal_(mean, std)": lambda x: x.normal_(0.5, 0.1),
    "normal_ of std 0": lambda x: x.normal_(mean=2, std=0),
    "normal_ of negative std": lambda x: x.normal_(0, -1),
    "random_()": lambda x: x.random_(),
    "random_(to)": lambda x: x.random_(2),
    "random_(from, to)": lambda x: x.random_(2, 5),
    "random_(from, None)": lambda x: x.random_(5, None),
    "random_(to=)": lambda x: x.random_(to=5),
    "random_(from=)": lambda x: x.random_(**{"from": 2, "to": 5}),
    "random_ backwards": lambda x: x.random_(5, 2),
    "random_ below zero": lambda x: x.random_(-5),
    "random_ beyond": lambda x: x.random_(10_000),
    "bernoulli_()": lambda x: x.bernoulli_(),
    "bernoulli_(p)": lambda x: x.bernoulli_(0.3),
    "bernoulli_ of no probability": lambda x: x.bernoulli_(2),
    "exponential_()": lambda x: x.exponential_(),
    "exponential_(lambd=)": lambda x: x.exponential_(lambd=0.5),
    "exponential_ of rate 0": lambda x: x.exponential_(0),
    "geometric_(p)": lambda x: x.geometric_(0.3),
    "geometric_ of p 1": lambda x: x.geometric_(1),
    "geometric_ without p": lambda x: x.geometric_(),
    "log_normal_()": lambda x: x.log_normal_(),
    "log_normal_(mean, std)": lambda x: x.log_normal_(0.1, 0.2),
    "log_normal_ of std 0": lambda x: x.log_normal_(1, 0),
    "cauchy_()": lambda x: x.cauchy_(),
    "cauchy_(median, sigma)": lambda x: x.cauchy_(0.5, 2),
    "cauchy_ of sigma 0": lambda x: x.cauchy_(0, 0),
}


@pytest.mark.parametrize("name", FILLS)
def test_fills(torch: Any, name: str) -> None:
    for dtype in DTYPES:
        for shape in ((3,), (5, 7), ()):
            check_same(torch, lambda t, d=dtype, s=shape: FILLS[name](t.zeros(s, dtype=getattr(t, d))))


@pytest.mark.parametrize("dtype", [*FLOATS, "int64"])
def test_bernoulli_fills_with_a_probability_each(torch: Any, dtype: str) -> None:
    def p(t: Any) -> Any:
        return (t.arange(15.0) / 14).reshape(3, 5).to(getattr(t, dtype))

    check_same(torch, lambda t: t.zeros(3, 5).bernoulli_(p(t)))
    check_same(torch, lambda t: t.zeros(4, 3, 5, dtype=t.float64).bernoulli_(p(t)))
    check_same(torch, lambda t: t.zeros(3, 5, dtype=t.int64).bernoulli_(p(t)[0]))
    check_same(torch, lambda t: t.zeros(5, 3).t().bernoulli_(p(t)))
    check_same(torch, lambda t: t.zeros(3, 4).bernoulli_(p(t)))


VIEWS: dict[str, Call] = {
    "transposed": lambda x: x.t(),
    "permuted": lambda x: x.reshape(4, 3, 2, 7).permute(2, 0, 3, 1),
    "a column": lambda x: x[:, 3],
    "columns": lambda x: x[:, 2:9],
    "every other row": lambda x: x[::2],
    "transposed part": lambda x: x[1:9, 1:5].t(),
    "one row of a permutation": lambda x: x.reshape(4, 3, 2, 7).permute(3, 1, 0, 2)[2],
    "with axes of size 1": lambda x: x.t().unsqueeze(1).unsqueeze(-1),
}


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("fill", ["uniform_", "normal_", "random_", "bernoulli_", "exponential_"])
def test_memory_is_filled_in_its_own_order(torch: Any, name: str, fill: str) -> None:
    def drawn(t: Any) -> Any:
        base = t.zeros(12, 14)
        getattr(VIEWS[name](base), fill)()
        return base

    check_same(torch, drawn)
    if fill in ("uniform_", "normal_"):
        like = {"uniform_": "rand_like", "normal_": "randn_like"}[fill]
        check_same(torch, lambda t: getattr(t, like)(VIEWS[name](t.zeros(12, 14))))


@pytest.mark.parametrize("shape", [(1, 20), (20, 1), (1, 20, 1), (3, 1, 20)])
def test_axes_of_size_1_leave_memory_contiguous(torch: Any, shape: tuple[int, ...]) -> None:
    check_same(torch, lambda t: t.randn_like(t.zeros(shape).transpose(0, 1)))
    check_same(torch, lambda t: t.zeros(shape).transpose(0, 1).normal_())


@pytest.mark.parametrize("shape", [(3, 1), (1, 4), (1, 1)])
def test_in_the_image_of_a_stretched_one(torch: Any, shape: tuple[int, ...]) -> None:
    check_same(torch, lambda t: t.rand_like(t.zeros(shape).expand(3, 4)))
    check_same(torch, lambda t: t.rand_like(t.zeros(shape).expand(2, 3, 4).permute(1, 2, 0)))


# --- multinomial, against PyTorch -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [*FLOATS, "int64"])
@pytest.mark.parametrize("how", [(1,), (9, True), (1, True), (6,), (0,), (-1,)])
def test_multinomial(torch: Any, dtype: str, how: tuple[Any, ...]) -> None:
    def weights(t: Any) -> Any:
        return (t.arange(15.0).reshape(3, 5) % 7 + 1).to(getattr(t, dtype))

    check_same(torch, lambda t: t.multinomial(weights(t), *how))
    check_same(torch, lambda t: t.multinomial(weights(t)[1], *how))


def test_multinomial_draws_in_the_order_of_memory(torch: Any) -> None:
    for view in (lambda x: x.t(), lambda x: x[:, ::2], lambda x: x.t()[1:4]):
        check_same(torch, lambda t, view=view: t.multinomial(view(t.arange(1.0, 41.0).reshape(5, 8)), 3))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_multinomial_without_replacement(torch: Any, dtype: str) -> None:
    for count in (2, 3, 5):
        check_same(torch, lambda t, n=count: t.multinomial(t.arange(1.0, 6.0, dtype=getattr(t, dtype)), n))


@pytest.mark.parametrize("weights", [[0.0, 0.0], [1.0, -1.0], [1.0, float("nan")], [1.0, float("inf")]])
def test_multinomial_of_no_distribution(torch: Any, weights: list[float]) -> None:
    for how in ((1,), (2, True)):
        check_same(torch, lambda t, how=how: t.multinomial(t.tensor(weights), *how))
        check_same(torch, lambda t, how=how: t.multinomial(t.tensor([[1.0, 2.0], weights]), *how))


def test_multinomial_shapes(torch: Any) -> None:
    check_same(torch, lambda t: t.multinomial(t.ones(0, 3), 1))
    check_same(torch, lambda t: t.multinomial(t.ones(2, 2, 3), 1))
    check_same(torch, lambda t: t.multinomial(t.ones(()), 1))
    check_same(torch, lambda t: t.multinomial(t.ones(3), 1, out=t.empty(1)))
    check_same(torch, lambda t: t.multinomial(t.ones(3), 2, out=t.empty(2, dtype=t.int64)))


# --- seeds, against PyTorch -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, -5, 2**64 - 1, 2**64, -(2**63) - 1, 1.7, True, "3"])
def test_manual_seed_takes_what_pytorch_takes(torch: Any, seed: Any) -> None:
    try:
        expected = torch.manual_seed(seed).initial_seed()
    except ValueError:
        with pytest.raises(ValueError, match="Overflow"):
            kadam.manual_seed(seed)
    else:
        assert kadam.manual_seed(seed).initial_seed() == expected
        assert kadam.randn(20).tolist() == torch.randn(20).tolist()


def test_states_are_exchanged_with_pytorch(torch: Any) -> None:
    torch.manual_seed(5)
    torch.randn(3)
    kadam.set_rng_state(kadam.from_numpy(torch.get_rng_state().numpy()))
    assert kadam.randn(5).tolist() == torch.randn(5).tolist()
    assert kadam.get_rng_state().tolist() == torch.get_rng_state().tolist()

"""Linear algebra on the surface: values, shapes, types and derivatives against PyTorch; products against matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kadam
from against_torch import compare

RNG = np.random.default_rng(0)
SQUARE = RNG.standard_normal((2, 4, 4)) + 2 * np.eye(4)
TALL, WIDE = RNG.standard_normal((2, 5, 3)), RNG.standard_normal((2, 3, 5))
RIGHT = RNG.standard_normal((2, 4, 2))
POSITIVE = SQUARE @ SQUARE.swapaxes(-1, -2) + np.eye(4)
SYMMETRIC = SQUARE + SQUARE.swapaxes(-1, -2)


@pytest.mark.parametrize("a", [SQUARE, TALL, WIDE], ids=["square", "tall", "wide"])
def test_lu(a: np.ndarray[Any, Any]) -> None:
    compare(lambda m, x: m.linalg.lu(x), a, order=2)
    compare(lambda m, x: m.linalg.lu_factor_ex(x), a)
    compare(lambda m, x: m.lu_unpack(*m.linalg.lu_factor(x)), a)
    p, lower, upper = kadam.linalg.lu(kadam.tensor(a))
    np.testing.assert_allclose((p @ lower @ upper).numpy(), a, atol=1e-12)


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("adjoint", [True, False])
def test_lu_solve(left: bool, adjoint: bool) -> None:
    right = RIGHT if left else RIGHT.swapaxes(-1, -2).copy()
    compare(lambda m, x, b: m.linalg.lu_solve(*m.linalg.lu_factor(x), b, left=left, adjoint=adjoint), SQUARE, right)


@pytest.mark.parametrize("hermitian", [True, False])
def test_ldl(hermitian: bool) -> None:
    compare(lambda m, x: m.linalg.ldl_factor_ex(x, hermitian=hermitian), SYMMETRIC, order=0)
    compare(lambda m, x, b: m.linalg.ldl_solve(*m.linalg.ldl_factor(x), b), SYMMETRIC, RIGHT, order=0)
    indefinite = np.array([[0.0, 1, 2], [1, 0, 3], [2, 3, 0]])  # needs pivots of two rows
    packed, pivots = kadam.linalg.ldl_factor(kadam.tensor(indefinite))
    found = kadam.linalg.ldl_solve(packed, pivots, kadam.eye(3, dtype=kadam.float64))
    np.testing.assert_allclose(indefinite @ found.numpy(), np.eye(3), atol=1e-12)


@pytest.mark.parametrize("upper", [True, False])
def test_cholesky_and_what_uses_it(upper: bool) -> None:
    compare(lambda m, x: m.linalg.cholesky(x @ x.mT + m.eye(4), upper=upper), SQUARE)
    compare(lambda m, x: m.linalg.cholesky_ex(x, upper=upper)[1], POSITIVE - 3 * np.eye(4), order=0)
    factor = np.linalg.cholesky(POSITIVE)
    factor = factor.swapaxes(-1, -2).copy() if upper else factor
    compare(lambda m, b, x: m.cholesky_solve(b, x, upper), RIGHT, factor)
    compare(lambda m, x: m.cholesky_inverse(x, upper), factor)


def test_equations() -> None:
    compare(lambda m, a, b: m.linalg.solve_ex(a, b), SQUARE, RIGHT)
    compare(lambda m, a, b: m.linalg.solve(a, b, left=False), SQUARE, RIGHT.swapaxes(-1, -2).copy())
    compare(lambda m, a: m.linalg.inv_ex(a), SQUARE)
    compare(lambda m, a, b: m.triangular_solve(b, a, transpose=True), SQUARE, RIGHT)
    compare(lambda m, a: m.linalg.tensorinv(a, ind=2), RNG.standard_normal((2, 3, 6)))
    compare(lambda m, a, b: m.linalg.tensorsolve(a, b), RNG.standard_normal((2, 3, 6)), RNG.standard_normal((2, 3)))


def test_singular_matrices_are_told() -> None:
    singular = kadam.zeros(2, 2)
    assert kadam.linalg.inv_ex(singular).info.item() == 1
    assert kadam.linalg.lu_factor_ex(singular)[2].item() == 1
    for call in (
        lambda: kadam.linalg.lu_factor(singular),
        lambda: kadam.linalg.inv_ex(singular, check_errors=True),
        lambda: kadam.linalg.cholesky_ex(singular, check_errors=True),
    ):
        with pytest.raises(kadam.linalg.LinAlgError):
            call()


@pytest.mark.parametrize("a", [TALL, WIDE, TALL @ RNG.standard_normal((3, 1)) @ RNG.standard_normal((1, 4))])
def test_pseudo_inverse(a: np.ndarray[Any, Any]) -> None:
    compare(lambda m, x: m.linalg.pinv(x), a, tolerance=(1e-6, 1e-8))
    compare(lambda m, x: m.linalg.pinv(x, rtol=0.5), a, tolerance=(1e-6, 1e-8))
    compare(lambda m, x: m.linalg.matrix_rank(x, atol=0.1), a, order=0)


def test_hermitian_pseudo_inverse() -> None:
    compare(lambda m, x: m.linalg.pinv(x, hermitian=True), SYMMETRIC)
    compare(lambda m, x: m.linalg.matrix_rank(x, hermitian=True), SYMMETRIC, order=0)


@pytest.mark.parametrize("driver", ["gels", "gelsy", "gelsd", "gelss"])
def test_least_squares(driver: str) -> None:
    compare(lambda m, a, b: m.linalg.lstsq(a, b, driver=driver)[0], TALL, RNG.standard_normal((2, 5, 2)))
    compare(lambda m, a, b: m.linalg.lstsq(a, b, driver=driver), TALL, RNG.standard_normal((2, 5, 2)), order=0)
    compare(lambda m, a, b: m.linalg.lstsq(a, b, driver=driver)[0], WIDE, RNG.standard_normal((2, 3, 2)))


def test_reflections() -> None:
    compare(lambda m, a: m.geqrf(a), TALL, order=0)
    factors = RNG.standard_normal((2, 3))
    compare(lambda m, a, t: m.linalg.householder_product(a, t), TALL, factors)
    for left in (True, False):
        for transpose in (True, False):
            other = RNG.standard_normal((2, 5, 4) if left else (2, 4, 5))
            compare(lambda m, a, t, c, f=(left, transpose): m.ormqr(a, t, c, *f), TALL, factors, other)


def test_full_singular_vectors_pass_on_what_is_determined() -> None:
    compare(lambda m, x: m.linalg.svd(x, full_matrices=True)[0][..., :3].abs(), TALL)
    compare(lambda m, x: m.linalg.svd(x, full_matrices=True)[2][..., :3, :].abs(), WIDE)


@pytest.mark.parametrize("order", [0, 1, 2, 3, -1, -0.5, np.inf, -np.inf])
def test_vector_norms_at_zero(order: float) -> None:
    x = np.array([[0.0, 1.0, -2.0], [3.0, 1.0, 2.0]])
    compare(lambda m, x: m.linalg.vector_norm(x, order, dim=1), x)


def test_powers() -> None:
    for n in (0, 1, 2, 5, -2):
        compare(lambda m, x, n=n: m.linalg.matrix_power(x, n), SQUARE, tolerance=(1e-6, 1e-8))
    compare(lambda m, x: m.linalg.vander(x, N=4), RNG.standard_normal(3))


def test_low_rank() -> None:
    a = kadam.tensor(TALL[0] @ WIDE[0])
    u, sizes, v = kadam.svd_lowrank(a, 3)
    np.testing.assert_allclose((u * sizes @ v.T).numpy(), a.numpy(), atol=1e-10)
    _, sizes, _ = kadam.pca_lowrank(a, 3)
    centred = a.numpy() - a.numpy().mean(0)
    np.testing.assert_allclose(sizes.numpy(), np.linalg.svd(centred)[1][:3], atol=1e-10)

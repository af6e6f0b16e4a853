"""Factorisations and equations on matrices of some size: their values and their two derivatives are PyTorch's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from kadam import dtypes
from kadam.autodiff import backward
from kadam.errors import GradientError, LinAlgError
from kadam.ir.builder import Builder, building, emit
from kadam.ir.graph import Node
from kadam.ir.primitive import Array, Primitive
from kadam.ir.types import TensorType
from kadam.primitives.contract import Dot
from kadam.primitives.factor import Cholesky, Eig, Eigh, Qr, Svd
from kadam.primitives.solve import Det, Inverse, MatrixExp, SlogDet, Solve, TriangularSolve
from kadam.primitives.sources import Input, full_like

torch = pytest.importorskip("torch")
from primitives_torch_movement import TABLE  # noqa: E402


def random(seed: int, *shape: int, of: type = np.float64) -> Array:
    generator = np.random.default_rng(seed)
    found: Array = generator.standard_normal(shape).astype(of)
    return np.asarray(found + 1j * generator.standard_normal(shape) if np.iscomplexobj(found) else found)


def evaluate(nodes: Sequence[Node], feeds: dict[int, Array]) -> dict[int, Array]:
    values = dict(feeds)
    for node in nodes:
        if node.id not in values:
            values[node.id] = np.asarray(node.primitive.reference(*(values[source.id] for source in node.inputs)))
            assert values[node.id].shape == node.shape, node
            assert values[node.id].dtype == node.dtype.numpy, node
    return values


def derivatives(
    primitive: Primitive, arrays: Sequence[Array], ct: Array, tangents: Sequence[Array]
) -> list[list[Array]]:
    """The cotangents of the inputs for `ct`; and with `tangents` for these cotangents, those of the inputs and `ct`."""
    builder = Builder()
    with building(builder):
        feeds = [np.asarray(x) for x in (*arrays, ct, *tangents)]
        sources = [emit(Input(TensorType(dtypes.of_numpy(x.dtype), x.shape))) for x in feeds]
        inputs, seed, seeds = sources[: len(arrays)], sources[len(arrays)], sources[len(arrays) + 1 :]
        wanted = [*inputs, seed]
        builder.active.update(node.id for node in wanted)
        result = emit(primitive, *inputs)
        found = backward(builder.nodes, {result.id: seed}, builder.active, {node.id for node in inputs})
        orders = [[found[node.id] for node in inputs]]
        if tangents:
            cts = {node.id: tangent for node, tangent in zip(orders[0], seeds, strict=True)}
            found = backward(builder.nodes, cts, builder.active, {node.id for node in wanted})
            orders.append([found[node.id] if node.id in found else full_like(node, 0) for node in wanted])
    values = evaluate(builder.nodes, dict(enumerate(feeds)))
    return [[values[node.id] for node in order] for order in orders]


def torch_derivatives(
    primitive: Primitive, arrays: Sequence[Array], ct: Array, tangents: Sequence[Array]
) -> list[list[Array]]:
    """The same by PyTorch; without tangents, the first derivative only."""
    inputs = [torch.from_numpy(x).requires_grad_() for x in arrays]
    seed = torch.from_numpy(np.asarray(ct)).requires_grad_()
    result = TABLE[type(primitive).__name__](primitive, inputs)
    orders = [torch.autograd.grad(result, inputs, seed, create_graph=True)]
    if tangents:
        seeds = [torch.from_numpy(x) for x in tangents]
        orders.append(torch.autograd.grad(orders[0], [*inputs, seed], seeds, allow_unused=True, materialize_grads=True))
    return [[to_numpy(x) for x in order] for order in orders]


def to_numpy(x: Any) -> Array:
    return np.asarray(x.detach().resolve_conj().numpy())


def assert_same(ours: list[list[Array]], theirs: list[list[Array]]) -> None:
    for order, (mine, its) in enumerate(zip(ours, theirs, strict=True)):
        for one, other in zip(mine, its, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-8, err_msg=f"order {order + 1}")


def assert_as_pytorch(primitive: Primitive, arrays: Sequence[Array], ct: Array, orders: int = 2) -> None:
    tangents = [random(7 + place, *x.shape, of=x.dtype.type) for place, x in enumerate(arrays)] if orders == 2 else []
    ours, theirs = (find(primitive, arrays, ct, tangents) for find in (derivatives, torch_derivatives))
    assert_same(ours, theirs)


def assert_vectors_as_pytorch(primitive: Primitive, a: Array) -> None:
    """Vectors are determined but for a phase each, and so is the derivative of the weighted sum of their |x|^2."""
    mine, its = primitive.reference(a), to_numpy(TABLE[type(primitive).__name__](primitive, [torch.from_numpy(a)]))
    np.testing.assert_allclose(abs(mine), abs(its), rtol=1e-8, atol=1e-8)
    weights = random(1, *mine.shape)
    assert_same(derivatives(primitive, [a], mine * weights, []), torch_derivatives(primitive, [a], its * weights, []))


def hermitian(a: Array) -> Array:
    return a + a.conj().swapaxes(-1, -2)


def positive(a: Array) -> Array:
    return a @ a.conj().swapaxes(-1, -2) + np.eye(a.shape[-1])


NUMBERS = [np.float64, np.complex128]


@pytest.mark.parametrize("of", NUMBERS)
@pytest.mark.parametrize("primitive", [Inverse(), Det(), SlogDet("logabsdet"), MatrixExp()], ids=repr)
def test_functions_of_square_matrices(primitive: Primitive, of: type) -> None:
    a = random(0, 2, 4, 4, of=of)
    result = primitive.infer(TensorType(dtypes.of_numpy(a.dtype), a.shape))
    assert_as_pytorch(primitive, [a], random(1, *result.shape, of=result.dtype.numpy.type))


def test_the_sign_of_a_complex_determinant() -> None:
    assert_as_pytorch(SlogDet("sign"), [random(0, 2, 3, 3, of=np.complex128)], random(1, 2, of=np.complex128), orders=1)


@pytest.mark.parametrize("of", NUMBERS)
@pytest.mark.parametrize(
    "primitive",
    [Solve(), TriangularSolve(upper=True, unit=False), TriangularSolve(False, False), TriangularSolve(False, True)],
    ids=repr,
)
def test_solutions(primitive: Primitive, of: type) -> None:
    a, b = random(0, 2, 4, 4, of=of) + 2 * np.eye(4), random(1, 2, 4, 3, of=of)
    assert_as_pytorch(primitive, [a, b], random(2, 2, 4, 3, of=of))


def test_cholesky() -> None:
    assert_as_pytorch(Cholesky(), [positive(random(0, 2, 4, 4))], random(1, 2, 4, 4))


def test_cholesky_of_complex_matrices() -> None:
    a, ct = positive(random(0, 2, 4, 4, of=np.complex128)), random(1, 2, 4, 4, of=np.complex128)
    ct[..., range(4), range(4)] = ct[..., range(4), range(4)].real  # as the diagonal is
    ours, theirs = (find(Cholesky(), [a], ct, [])[0][0] for find in (derivatives, torch_derivatives))
    # PyTorch's is not Hermitian, as the changes of a are; what is beside that counts for nothing.
    np.testing.assert_allclose(ours, hermitian(theirs) / 2, rtol=1e-8, atol=1e-8)


SHAPES = pytest.mark.parametrize("shape", [(2, 4, 4), (5, 3), (3, 5)], ids=str)


@SHAPES
@pytest.mark.parametrize("part", ["q", "r"])
def test_qr(part: str, shape: tuple[int, ...]) -> None:
    a = random(0, *shape)
    assert_as_pytorch(Qr(part), [a], random(1, *Qr(part).reference(a).shape))


@SHAPES
@pytest.mark.parametrize("part", ["q", "r"])
def test_qr_of_complex_matrices(part: str, shape: tuple[int, ...]) -> None:
    assert_vectors_as_pytorch(Qr(part), random(0, *shape, of=np.complex128))


@pytest.mark.parametrize("of", NUMBERS)
@pytest.mark.parametrize("primitive", [Eigh("values"), Eig("values")], ids=repr)
def test_eigenvalues(primitive: Primitive, of: type) -> None:
    a = random(0, 2, 4, 4, of=of)
    a = hermitian(a) if isinstance(primitive, Eigh) else a
    found = primitive.reference(a)
    assert_as_pytorch(primitive, [a], random(1, *found.shape, of=found.dtype.type))


@pytest.mark.parametrize("of", NUMBERS)
@pytest.mark.parametrize("primitive", [Eigh("vectors"), Eig("vectors")], ids=repr)
def test_eigenvectors(primitive: Primitive, of: type) -> None:
    a = random(0, 2, 4, 4, of=of)
    assert_vectors_as_pytorch(primitive, hermitian(a) if isinstance(primitive, Eigh) else a)


@SHAPES
@pytest.mark.parametrize("of", NUMBERS)
def test_singular_values(of: type, shape: tuple[int, ...]) -> None:
    a = random(0, *shape, of=of)
    assert_as_pytorch(Svd("s"), [a], random(1, *shape[:-2], min(shape[-2:])))


@SHAPES
@pytest.mark.parametrize("of", NUMBERS)
@pytest.mark.parametrize("part", ["u", "vh"])
def test_singular_vectors(part: str, of: type, shape: tuple[int, ...]) -> None:
    assert_vectors_as_pytorch(Svd(part), random(0, *shape, of=of))


@SHAPES
@pytest.mark.parametrize("of", NUMBERS)
def test_full_factorisations(of: type, shape: tuple[int, ...]) -> None:
    a = random(0, *shape, of=of)
    u, s, vh = (Svd(part, full=True).reference(a) for part in ("u", "s", "vh"))
    q, r = (Qr(part, complete=True).reference(a) for part in ("q", "r"))
    middle = np.zeros_like(a)
    middle[..., range(s.shape[-1]), range(s.shape[-1])] = s
    np.testing.assert_allclose(u @ middle @ vh, a, atol=1e-12)
    np.testing.assert_allclose(q @ r, a, atol=1e-12)
    for square in (u, vh, q):
        unit = np.broadcast_to(np.eye(square.shape[-1]), square.shape)
        np.testing.assert_allclose(square @ square.conj().swapaxes(-1, -2), unit, atol=1e-12)


def test_undetermined_columns_of_q_have_no_derivative() -> None:
    primitive, builder = Qr("q", complete=True), Builder()
    with building(builder):
        a = emit(Input(TensorType(dtypes.float64, (5, 3))))
        result = emit(primitive, a)
        with pytest.raises(GradientError, match="complete"):
            primitive.vjp(result, result, a)


@pytest.mark.parametrize(
    ("primitive", "matrix", "message"),
    [
        (Inverse(), np.zeros((2, 2)), r"linalg\.inv: .*singular"),
        (Solve(), np.zeros((2, 2)), r"linalg\.solve: .*singular"),
        (Cholesky(), -np.eye(2), r"linalg\.cholesky: .*not positive-definite"),
    ],
    ids=repr,
)
def test_what_has_no_factorisation_says_so(primitive: Primitive, matrix: Array, message: str) -> None:
    with pytest.raises(LinAlgError, match=message):
        primitive.reference(*[matrix] * (2 if isinstance(primitive, Solve) else 1))


def test_parts_of_one_matrix_are_factorised_once_and_a_changed_matrix_again(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    factorise = np.linalg.qr

    def counting(*arguments: Any) -> Any:
        calls.append(arguments)
        return factorise(*arguments)

    monkeypatch.setattr(np.linalg, "qr", counting)
    a = random(11, 4, 4)
    q, r = Qr("q").reference(a), Qr("r").reference(a)
    assert len(calls) == 1
    np.testing.assert_allclose(q @ r, a)
    a *= 2
    q *= np.nan
    np.testing.assert_allclose(Qr("q").reference(a) @ Qr("r").reference(a), a)
    assert len(calls) == 2


@pytest.mark.parametrize("of", NUMBERS)
def test_products_of_any_layout(of: type) -> None:
    cases = [
        (Dot((0,), (1,), (2, 3), (3, 0)), (2, 3, 4, 5), (5, 2, 3, 4)),
        (Dot((1, 0), (0, 2), (), ()), (2, 3, 4), (3, 5, 2)),
        (Dot((), (), (0, 1, 2), (2, 0, 1)), (2, 3, 4), (3, 4, 2)),
    ]
    for dot, a_shape, b_shape in cases:
        a, b = random(0, *a_shape, of=of), random(1, *b_shape, of=of)
        assert_as_pytorch(dot, [a, b], random(2, *dot.reference(a, b).shape, of=of))

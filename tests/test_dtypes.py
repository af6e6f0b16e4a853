"""Element types: what they hold, how they mix, what may be cast."""

from __future__ import annotations

import copy
import itertools
import pickle

import ml_dtypes
import numpy as np
import pytest

from kadam import dtypes
from kadam.dtypes import dtype
from kadam.errors import DTypeError

PAIRS = list(itertools.product(dtypes.ALL, repeat=2))
every_dtype = pytest.mark.parametrize("record", dtypes.ALL, ids=repr)


def theirs(record: dtype) -> object:
    return getattr(pytest.importorskip("torch"), record.name)


@every_dtype
def test_facts_are_pytorchs(record: dtype) -> None:
    torch = pytest.importorskip("torch")
    other = getattr(torch, record.name)
    assert repr(record) == repr(other)
    assert record.itemsize == record.numpy.itemsize == other.itemsize
    for fact in ("is_floating_point", "is_complex", "is_signed"):
        assert getattr(record, fact) == getattr(other, fact), fact


def test_aliases_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    for alias, record in dtypes.ALIASES.items():
        assert getattr(torch, alias) is getattr(torch, record.name)


@every_dtype
def test_names_lead_back(record: dtype) -> None:
    assert dtypes.by_name(record.name) is record
    assert dtypes.by_short(record.short) is record
    assert dtypes.of_numpy(record.numpy) is record
    assert dtypes.of_numpy(record.numpy.newbyteorder(">") if record.numpy.kind != "V" else record.numpy) is record


@every_dtype
def test_copies_are_the_record_itself(record: dtype) -> None:
    assert copy.copy(record) is copy.deepcopy(record) is pickle.loads(pickle.dumps(record)) is record


def test_numpy_types_without_counterpart() -> None:
    for strange in ("U3", "O", "M8[s]", np.longdouble):
        with pytest.raises(DTypeError, match=r"can't convert np\.ndarray of type"):
            dtypes.of_numpy(np.dtype(strange))
        with pytest.raises(TypeError):  # as PyTorch raises
            dtypes.of_numpy(np.dtype(strange))


@pytest.mark.parametrize(("a", "b"), PAIRS, ids=repr)
def test_promotion_is_pytorchs(a: dtype, b: dtype) -> None:
    torch = pytest.importorskip("torch")
    try:
        expected = torch.promote_types(theirs(a), theirs(b))
    except RuntimeError:
        with pytest.raises(DTypeError, match=r"Promotion for .* is not supported"):
            dtypes.promote(a, b)
    else:
        assert repr(dtypes.promote(a, b)) == repr(expected)


def test_promotion_without_pytorch() -> None:
    """What both hold must fit, by definition; the order of the two does not matter."""
    for a, b in PAIRS:
        try:
            both = dtypes.promote(a, b)
        except DTypeError:
            continue
        assert both is dtypes.promote(b, a)
        assert both.category == max(a.category, b.category)
        assert dtypes.promote(a, both) is both
    assert dtypes.promote(dtypes.float16, dtypes.bfloat16) is dtypes.float32
    assert dtypes.promote(dtypes.uint8, dtypes.int8) is dtypes.int16
    assert dtypes.promote(dtypes.int64, dtypes.float16) is dtypes.float16
    assert dtypes.promote(dtypes.float64, dtypes.complex64) is dtypes.complex128


@pytest.mark.parametrize(("a", "b"), PAIRS, ids=repr)
def test_casts_are_pytorchs(a: dtype, b: dtype) -> None:
    torch = pytest.importorskip("torch")
    assert dtypes.can_cast(a, b) == torch.can_cast(theirs(a), theirs(b))


def test_types_of_numbers() -> None:
    assert dtypes.of_number(True) is dtypes.bool_
    assert dtypes.of_number(3) is dtypes.int64
    assert dtypes.of_number(3.0) is dtypes.float32
    assert dtypes.of_number(3j) is dtypes.complex64
    assert dtypes.of_number(np.int32(3)) is dtypes.int64


def test_default_float() -> None:
    assert dtypes.default_float() is dtypes.float32
    try:
        dtypes.set_default_float(dtypes.float64)
        assert dtypes.of_number(1.0) is dtypes.default_float() is dtypes.float64
        assert dtypes.of_number(1j) is dtypes.default_complex() is dtypes.complex128
    finally:
        dtypes.set_default_float(dtypes.float32)
    with pytest.raises(TypeError, match="only floating-point types"):
        dtypes.set_default_float(dtypes.int64)


@pytest.mark.parametrize("record", [one for one in dtypes.ALL if one.category >= dtypes.FLOAT], ids=repr)
def test_finfo_is_pytorchs(record: dtype) -> None:
    torch = pytest.importorskip("torch")
    ours, other = dtypes.finfo(record), torch.finfo(theirs(record))
    for fact in ("bits", "eps", "max", "min", "tiny", "smallest_normal", "resolution", "dtype"):
        assert getattr(ours, fact) == getattr(other, fact), fact
    assert str(ours) == str(other)


@pytest.mark.parametrize("record", [one for one in dtypes.ALL if one.category == dtypes.INTEGER], ids=repr)
def test_iinfo_is_pytorchs(record: dtype) -> None:
    torch = pytest.importorskip("torch")
    ours, other = dtypes.iinfo(record), torch.iinfo(theirs(record))
    for fact in ("bits", "max", "min", "dtype"):
        assert getattr(ours, fact) == getattr(other, fact), fact
    assert str(ours) == str(other)


def test_limits_of_the_wrong_kind() -> None:
    with pytest.raises(TypeError, match=r"Use torch\.iinfo"):
        dtypes.finfo(dtypes.int64)
    for wrong in (dtypes.float32, dtypes.bool_, dtypes.complex64):
        with pytest.raises(TypeError, match=r"Use torch\.finfo"):
            dtypes.iinfo(wrong)


def test_finfo_describes_the_type() -> None:
    for record in (dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64):
        limits, one = dtypes.finfo(record), np.ones((), record.numpy)
        assert float(np.nextafter(one, 2 * one)) - 1 == limits.eps
        assert np.asarray(limits.max, record.numpy) == limits.max
    assert dtypes.finfo() == dtypes.finfo(dtypes.float32)
    assert np.dtype(ml_dtypes.bfloat16) == dtypes.bfloat16.numpy

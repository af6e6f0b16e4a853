"""Keys: signed integers that stand in the order of elements, so that all types are sorted alike."""

from __future__ import annotations

import numpy as np

from kadam.dtypes import dtype, float32, int32, int64
from kadam.engines.native.arithmetic import is_narrow
from kadam.engines.native.scalars import Scalars
from kadam.engines.native.writer import Value, constant


def key_type(record: dtype) -> dtype:
    """The type of the keys of a type's elements."""
    return int64 if record.itemsize == 8 else int32


def greatest(record: dtype) -> int:
    """The key that no key exceeds: also that of nan."""
    return int(np.iinfo(record.numpy).max)


def key(scalars: Scalars, x: Value, descending: bool = False) -> Value:
    """The keys of elements: equal elements have one key, -0.0 is 0.0, nan exceeds all; `descending`, the other way."""
    found = _of_float(scalars, x) if x.dtype.is_floating_point else _of_integer(scalars, x)
    return scalars.negation(found) if descending else found


def _of_float(scalars: Scalars, x: Value) -> Value:
    x = scalars.cast(x, float32) if is_narrow(x.dtype) else x
    bits = scalars.as_integer(scalars.add(x, constant(0.0, x.dtype, x.lanes)))  # -0 + 0 is 0
    most = constant(greatest(bits.dtype), bits.dtype, bits.lanes)
    # The size of a negative number is turned round, its sign stays.
    turned = scalars.both(scalars.shifted(bits, 1 - 8 * bits.dtype.itemsize), most)
    return scalars.select(scalars.compare("ne", x, x), most, scalars.unlike(bits, turned))


def _of_integer(scalars: Scalars, x: Value) -> Value:
    record = key_type(x.dtype)
    found = scalars.cast(x, record)
    if x.dtype.is_signed or x.dtype.itemsize < record.itemsize:
        return found
    return scalars.unlike(found, constant(-greatest(record) - 1, record, x.lanes))

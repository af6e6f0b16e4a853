"""What the twister's 32-bit words are turned into: fractions, whole numbers, an order of elements."""

from __future__ import annotations

import numpy as np

from kadam.ir.primitive import Array

MASK_24, MASK_53 = (1 << 24) - 1, (1 << 53) - 1


def unit_f32(words: Array) -> Array:
    """The lowest 24 bits of each word as a fraction in [0, 1)."""
    unit = (words & np.uint32(MASK_24)).view(np.int32).astype(np.float32)
    unit *= np.float32(2.0**-24)
    return unit


def unit_f64(words: Array) -> Array:
    """The lowest 53 bits of each pair of words as a fraction in [0, 1)."""
    unit = (long(words) & np.uint64(MASK_53)).view(np.int64).astype(np.float64)
    unit *= 2.0**-53
    return unit


def long(words: Array) -> Array:
    """Pairs of words as 64-bit numbers; the first is the upper half."""
    return np.asarray(words[0::2].astype(np.uint64) << np.uint64(32) | words[1::2])


def remainder(words: Array, span: int) -> Array:
    """words % span. (NumPy divides by one number faster than it takes remainders.)"""
    divisor = words.dtype.type(span)
    quotient = words // divisor
    quotient *= divisor
    rest: Array = np.subtract(words, quotient, out=quotient)
    return rest


def shuffled(words: Array) -> Array:
    """0 ... n-1 in random order, i64[n] of u32[n - 1]: a word for each element but the last says with which of those
    from itself on it changes places."""
    steps, n = np.arange(len(words)), len(words) + 1
    return swapped(np.append(steps + words % (n - steps), n - 1))


def swapped(targets: Array) -> Array:
    """What 0 ... n-1 becomes when element i is swapped with element targets[i] >= i, for i = 0, 1, ... in turn.

    Step i settles position i: it takes what stands at its target, and leaves there what stood at i. What stands at a
    position is thus what the last earlier step that had it as its target left there, so steps form chains, which are
    followed to their starts for all positions at once.
    """
    steps = np.arange(len(targets))
    order = np.sort(targets << 32 | steps)  # by target, then by step
    step, target = order & 0xFFFFFFFF, order >> 32
    again = np.flatnonzero(target[1:] == target[:-1]) + 1
    earlier = np.full(len(targets), -1)  # the last earlier step with the same target
    earlier[step[again]] = step[again - 1]
    left = np.full(len(targets), -1)
    left[target] = step  # the last step with this target (NumPy keeps the last of repeated writes)
    left = np.where(left == steps, earlier, left)
    source = np.where(left < 0, steps, left)
    while True:
        further = source[source]
        if np.array_equal(further, source):
            break
        source = further
    return np.where(earlier < 0, targets, source[earlier])

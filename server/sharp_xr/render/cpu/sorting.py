"""Exact order by depth for one tile: radix sort of (depth bits, index) keys.

The bits of a positive float order like the float. Two passes of 11 bits over the range that the
tile's depths really have leave few keys out of place; an insertion pass puts those right. Where it
would have to move too many (a wall seen dead on, and a far point that stretches the range), three
passes over all 32 bits do it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sharp_xr.render.cpu.compilation import kernel

Keys = NDArray[np.uint64]

DIGIT = np.uint64(11)
DIGIT_MASK = np.uint64(2047)
DIGITS = 2048
HISTOGRAM_SIZE = 2 * DIGITS
"""Room for two passes."""
PATIENCE = 8
"""Moves per key that the insertion pass may take."""
STRETCH = 32
"""Keys that the insertion pass looks at together."""


@kernel
def sort_keys(
    keys: Keys,
    spare: Keys,
    count: int,
    lowest: np.uint64,
    highest: np.uint64,
    nearly: bool,
    histogram: NDArray[np.uint32],
) -> None:
    """Sort the first ``count`` keys; ``lowest`` and ``highest`` bound their upper halves.

    ``nearly`` will do where the order within a four millionth of that range does not matter.
    """
    bits = np.uint64(0)
    while (highest - lowest) >> bits:
        bits += np.uint64(1)
    base = lowest << np.uint64(32)
    cut = bits - np.uint64(22) if bits > np.uint64(22) else np.uint64(0)
    shift = np.uint64(32) + cut
    # One reading of the keys counts the digits of both passes.
    low, high = histogram[:DIGITS], histogram[DIGITS:HISTOGRAM_SIZE]
    low[:] = 0
    high[:] = 0
    one = np.uint32(1)
    for i in range(count):
        digits = (keys[i] - base) >> shift
        low[digits & DIGIT_MASK] += one
        high[(digits >> DIGIT) & DIGIT_MASK] += one
    move(keys, spare, count, base, shift, low)
    move(spare, keys, count, base, shift + DIGIT, high)
    if cut and not nearly and not insertion_pass(keys, count, PATIENCE * count):
        radix_pass(keys, spare, count, base, np.uint64(32), histogram)
        radix_pass(spare, keys, count, base, np.uint64(32) + DIGIT, histogram)
        radix_pass(keys, spare, count, base, np.uint64(32) + DIGIT + DIGIT, histogram)
        for i in range(count):
            keys[i] = spare[i]


@kernel
def radix_pass(
    source: Keys,
    target: Keys,
    count: int,
    base: np.uint64,
    shift: np.uint64,
    histogram: NDArray[np.uint32],
) -> None:
    """Stable counting sort by the 11 bits above ``shift`` of key - base."""
    digits = histogram[:DIGITS]
    digits[:] = 0
    for i in range(count):
        digits[((source[i] - base) >> shift) & DIGIT_MASK] += np.uint32(1)
    move(source, target, count, base, shift, digits)


@kernel
def move(
    source: Keys,
    target: Keys,
    count: int,
    base: np.uint64,
    shift: np.uint64,
    histogram: NDArray[np.uint32],
) -> None:
    """Each key to its digit's next place; ``histogram`` tells how many keys a digit has."""
    total = np.uint32(0)
    for digit in range(DIGITS):
        here = histogram[digit]
        histogram[digit] = total
        total += here
    one = np.uint32(1)
    for i in range(count):
        key = source[i]
        digit_of_key = ((key - base) >> shift) & DIGIT_MASK
        place = histogram[digit_of_key]
        target[place] = key
        histogram[digit_of_key] = place + one


@kernel
def insertion_pass(keys: Keys, count: int, patience: int) -> bool:
    """Sort nearly sorted keys; False when ``patience`` moves were not enough.

    Most stretches are in order: that is asked of one at a time, in vectors.
    """
    start = 1
    while start < count:
        end = min(start + STRETCH, count)
        if end < start + STRETCH or not is_in_order(keys[start - 1 : end]):
            for i in range(start, end):
                key = keys[i]
                j = i
                while j > 0 and keys[j - 1] > key:
                    keys[j] = keys[j - 1]
                    j -= 1
                keys[j] = key
                patience -= i - j
                if patience < 0:
                    return False
        start = end
    return True


@kernel
def is_in_order(keys: Keys) -> bool:
    """STRETCH + 1 of them."""
    wrong = np.uint64(0)
    for i in range(STRETCH):
        wrong |= np.uint64(keys[i] > keys[i + 1])
    return bool(wrong == 0)

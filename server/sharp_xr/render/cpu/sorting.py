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


@kernel
def sort_keys(
    keys: Keys,
    spare: Keys,
    count: int,
    lowest: np.uint64,
    highest: np.uint64,
    nearly: bool,
    histogram: NDArray[np.int64],
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
    for i in range(count):
        digits = (keys[i] - base) >> shift
        low[digits & DIGIT_MASK] += 1
        high[(digits >> DIGIT) & DIGIT_MASK] += 1
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
    histogram: NDArray[np.int64],
) -> None:
    """Stable counting sort by the 11 bits above ``shift`` of key - base."""
    digits = histogram[:DIGITS]
    digits[:] = 0
    for i in range(count):
        digits[((source[i] - base) >> shift) & DIGIT_MASK] += 1
    move(source, target, count, base, shift, digits)


@kernel
def move(
    source: Keys,
    target: Keys,
    count: int,
    base: np.uint64,
    shift: np.uint64,
    histogram: NDArray[np.int64],
) -> None:
    """Each key to its digit's next place; ``histogram`` tells how many keys a digit has."""
    total = 0
    for digit in range(DIGITS):
        here = histogram[digit]
        histogram[digit] = total
        total += here
    for i in range(count):
        digit_of_key = ((source[i] - base) >> shift) & DIGIT_MASK
        place = histogram[digit_of_key]
        target[place] = source[i]
        histogram[digit_of_key] = place + 1


@kernel
def insertion_pass(keys: Keys, count: int, patience: int) -> bool:
    """Sort nearly sorted keys; False when ``patience`` moves were not enough."""
    for i in range(1, count):
        key = keys[i]
        j = i
        while j > 0 and keys[j - 1] > key:
            keys[j] = keys[j - 1]
            j -= 1
        keys[j] = key
        patience -= i - j
        if patience < 0:
            return False
    return True

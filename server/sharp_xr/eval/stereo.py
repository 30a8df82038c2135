"""Disparity of a rectified pair by semi-global matching (Hirschmueller 2008).

    census 9 x 7 of both --> cost of each disparity --> eight paths, summed --> least cost, subpixel
                                                                  left = right? --> speckles out

It sees both photos: the ceiling for who sees one, and the truth for pairs that come without.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sharp_xr.eval.pair import Picture, StereoPair
from sharp_xr.gaussians import Float32
from sharp_xr.model.kernels import kernel, over_rows

MATCHED_PX = 640
"""Photos that are wider are matched at this width: eight paths want W x H x disparities floats."""
WIDEST = 0.25
"""Disparities are looked for up to this share of the width."""
SMALL_STEP, LARGE_STEP = 20.0, 150.0
"""Cost of a change by one disparity, and by more, where the photo is even (a census has 62)."""
CONTRAST = 12.0
"""Difference of two neighbours' grey at which a larger change costs half."""
TOLERANCE = 1.0
"""Both photos' disparities differ by so many pixels at most."""
SPECKLE, SPECKLE_STEP = 120, 1.0
"""A patch of fewer pixels than that, whose neighbours differ by more than the step, is no match."""
PATHS = ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))

UInt64 = NDArray[np.uint64]


def matched_disparity(pair: StereoPair) -> Float32:
    """[H, W] pixels of the left photo, NaN where the two photos do not agree (or it is hidden)."""
    height, width = pair.left.shape[:2]
    columns = min(width, MATCHED_PX)
    rows = max(1, round(height * columns / width))
    scale = columns / width
    least = int(np.floor(-max(pair.calibration.doffs_px, 0.0) * scale)) - 1
    most = max(least + 2, round(WIDEST * columns))
    left, right = (_grey(picture, rows, columns) for picture in (pair.left, pair.right))
    small = matched(left, right, least, most)
    index = np.arange(height) * rows // height, np.arange(width) * columns // width
    result: Float32 = (small / np.float32(scale))[np.ix_(*index)]
    return result


def matched(left: Float32, right: Float32, least: int, most: int) -> Float32:
    """Disparities [H, W] from least to most of two grey photos [H, W], 0 to 255; NaN: none."""
    rows, columns = left.shape
    words = [np.empty((rows, columns), np.uint64) for _ in range(2)]
    for grey, word in zip((left, right), words, strict=True):
        census(grey, word)
    count = most - least + 1
    cost = np.empty((rows, columns, count), np.uint8)
    over_rows(rows, lambda a, b: compare(words[0], words[1], least, a, b, cost))
    total = np.zeros((rows, columns, count), np.float32)
    for down, along in PATHS:
        aggregate(cost, left, down, along, SMALL_STEP, LARGE_STEP, CONTRAST, total)
    result = np.empty((rows, columns), np.float32)
    over_rows(rows, lambda a, b: choose(total, least, TOLERANCE, a, b, result))
    drop_speckles(result, SPECKLE, SPECKLE_STEP)
    return result


def filled(disparity: Float32) -> Float32:
    """Without NaN: what is hidden from the right camera is as far as the farther of the nearest
    known pixels at its left and its right. All NaN becomes 0."""
    result = disparity.copy()
    fill_rows(result)
    known = np.isfinite(result[:, 0])
    if not known.any():
        return np.zeros_like(result)
    rows = np.flatnonzero(known)
    for row in np.flatnonzero(~known):
        result[row] = result[rows[np.abs(rows - row).argmin()]]
    return result


def _grey(picture: Picture, rows: int, columns: int) -> Float32:
    small = Image.fromarray(picture).convert("L").resize((columns, rows), Image.Resampling.BOX)
    return np.asarray(small, np.float32)


@kernel
def census(grey: Float32, words: UInt64) -> None:
    """A bit for each of 62 neighbours: darker than the pixel? (Zabih and Woodfill 1994)"""
    rows, columns = grey.shape
    one = np.uint64(1)
    for i in range(rows):
        for j in range(columns):
            word = np.uint64(0)
            for di in range(-3, 4):
                y = min(max(i + di, 0), rows - 1)
                for dj in range(-4, 5):
                    x = min(max(j + dj, 0), columns - 1)
                    if di != 0 or dj != 0:
                        word = word << one
                        if grey[y, x] < grey[i, j]:
                            word = word | one
            words[i, j] = word


@kernel
def compare(
    left: UInt64, right: UInt64, least: int, first: int, end: int, cost: NDArray[np.uint8]
) -> None:
    """Rows first to end of the cost [H, W, D]: bits that differ, all where there is no pixel."""
    columns, count = cost.shape[1:]
    two, four, shift = np.uint64(2), np.uint64(4), np.uint64(56)
    one, pairs = np.uint64(1), np.uint64(0x3333333333333333)
    odd, nibbles = np.uint64(0x5555555555555555), np.uint64(0x0F0F0F0F0F0F0F0F)
    ones = np.uint64(0x0101010101010101)
    for i in range(first, end):
        for j in range(columns):
            for k in range(count):
                x = j - least - k
                if x < 0 or x >= columns:
                    cost[i, j, k] = 62
                    continue
                v = left[i, j] ^ right[i, x]
                v = v - ((v >> one) & odd)  # population count, by adding neighbours
                v = (v & pairs) + ((v >> two) & pairs)
                v = (v + (v >> four)) & nibbles
                cost[i, j, k] = (v * ones) >> shift


@kernel
def aggregate(
    cost: NDArray[np.uint8],
    grey: Float32,
    down: int,
    along: int,
    small: float,
    large: float,
    contrast: float,
    total: Float32,
) -> None:
    """Adds the least cost of paths that come from (-down, -along): equation 13 of the paper."""
    rows, columns, count = cost.shape
    infinite = np.float32(1e9)
    before = np.full((columns, count + 2), infinite, np.float32)
    now = np.full((columns, count + 2), infinite, np.float32)
    least_before = np.zeros(columns, np.float32)
    least_now = np.zeros(columns, np.float32)
    p1 = np.float32(small)
    for r in range(rows):
        i = r if down >= 0 else rows - 1 - r
        for c in range(columns):
            j = c if along >= 0 else columns - 1 - c
            y, x = i - down, j - along
            lowest = infinite
            if y < 0 or y >= rows or x < 0 or x >= columns:
                for k in range(count):
                    value = np.float32(cost[i, j, k])
                    now[j, k + 1] = value
                    total[i, j, k] += value
                    lowest = min(lowest, value)
            else:
                previous = now[x] if down == 0 else before[x]
                floor = least_now[x] if down == 0 else least_before[x]
                step = abs(grey[i, j] - grey[y, x])
                jump = floor + np.float32(max(large / (1.0 + step / contrast), 1.5 * small))
                for k in range(count):
                    near = min(previous[k], previous[k + 2]) + p1
                    best = min(min(previous[k + 1], near), jump)
                    value = np.float32(cost[i, j, k]) + (best - floor)
                    now[j, k + 1] = value
                    total[i, j, k] += value
                    lowest = min(lowest, value)
            least_now[j] = lowest
        before, now = now, before
        least_before, least_now = least_now, least_before


@kernel
def choose(
    total: Float32, least: int, tolerance: float, first: int, end: int, result: Float32
) -> None:
    """Rows first to end of the disparities: least cost, where the right photo's is the same."""
    columns, count = total.shape[1:]
    of_right = np.empty(columns, np.int64)
    for i in range(first, end):
        for x in range(columns):
            best, lowest = -1, np.float32(1e30)
            for k in range(count):
                j = x + least + k
                if 0 <= j < columns and total[i, j, k] < lowest:
                    best, lowest = k, total[i, j, k]
            of_right[x] = best
        for j in range(columns):
            best, lowest = 0, total[i, j, 0]
            for k in range(1, count):
                if total[i, j, k] < lowest:
                    best, lowest = k, total[i, j, k]
            x = j - least - best
            result[i, j] = np.nan
            if x < 0 or x >= columns or abs(of_right[x] - best) > tolerance:
                continue
            offset = 0.0
            if 0 < best < count - 1:  # the vertex of a parabola through three costs
                below, above = total[i, j, best - 1], total[i, j, best + 1]
                bend = below - 2.0 * lowest + above
                if bend > 0.0:
                    offset = 0.5 * (below - above) / bend
            result[i, j] = least + best + offset


@kernel
def drop_speckles(disparity: Float32, smallest: int, step: float) -> None:
    """NaN in place of patches of fewer than ``smallest`` pixels."""
    rows, columns = disparity.shape
    seen = np.zeros((rows, columns), np.bool_)
    patch = np.empty(rows * columns, np.int64)
    for start in range(rows * columns):
        i, j = start // columns, start % columns
        if seen[i, j] or not np.isfinite(disparity[i, j]):
            continue
        seen[i, j] = True
        patch[0] = start
        done, count = 0, 1
        while done < count:
            i, j = patch[done] // columns, patch[done] % columns
            done += 1
            for side in range(4):
                y = i + (side == 0) - (side == 1)
                x = j + (side == 2) - (side == 3)
                if y < 0 or x < 0 or y >= rows or x >= columns or seen[y, x]:
                    continue
                if abs(disparity[y, x] - disparity[i, j]) <= step:
                    seen[y, x] = True
                    patch[count] = y * columns + x
                    count += 1
        if count < smallest:
            for k in range(count):
                disparity[patch[k] // columns, patch[k] % columns] = np.nan


@kernel
def fill_rows(disparity: Float32) -> None:
    """In place; a row of nothing but NaN stays."""
    rows, columns = disparity.shape
    for i in range(rows):
        j = 0
        while j < columns:
            if np.isfinite(disparity[i, j]):
                j += 1
                continue
            end = j
            while end < columns and not np.isfinite(disparity[i, end]):
                end += 1
            if j == 0 and end == columns:
                break
            before = disparity[i, j - 1] if j > 0 else disparity[i, end]
            after = disparity[i, end] if end < columns else before
            for k in range(j, end):
                disparity[i, k] = min(before, after)
            j = end

"""Splats over the 16 pixels of a block, front to back: what drawing and training both do.

``blend`` keeps a block's state in registers while its splats pass, where 16 floats fill one of
them; elsewhere the block's halves take turns, so that their state still fits. All is LLVM's
portable vector code but for the table of ``exp2``, which wants AVX-512.

A fast picture's records are half as long, its exponential comes from the float's own bits, and its
blocks end earlier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types

from sharp_xr.render.cpu.compilation import has_wide_vectors, instruction
from sharp_xr.render.cpu.projection import FAST_BIAS, FAST_SCALE, MIN_TRANSMITTANCE
from sharp_xr.render.cpu.records import RECORD, SHORT_RECORD, SHORT_TINT, TINT
from sharp_xr.render.cpu.scene import LOG2_255
from sharp_xr.render.cpu.vectors import (
    FLOAT,
    INT32,
    INT64,
    LANES,
    Values,
    addresses,
    any_of,
    constant,
    fma,
    llvm_function,
    load,
    over_groups,
    plus,
    splat,
    store,
    times,
)

LEAST_POWER = -float(LOG2_255)
"""log2 of the least alpha that is drawn."""
WIDTH = LANES if has_wide_vectors() else 8
"""Pixels that are blended at a time."""
GROUP = 4
"""Splats whose alphas are computed side by side, to hide the latency of the exponential. Lists are
filled up to a multiple of it with a record that nobody sees."""
LONG_GROUP = 2 * GROUP
"""The same for drawing, whose lists are longer: the question whether a block is through is asked
less."""

FAST_STOP, FAST_EASE, FAST_REFILL = 1e-3, 2e-2, 0.6
"""Of a fast picture: the transmittance below which a pixel is done, and a block when all its pixels
are; so much more of it is allowed per linear brightness, where the same light is seen less; and the
share of the light left at an early end that what lies behind would have taken, measured on
photos."""

STEPS = [
    (int(bits) - (k << 19)) & 0xFFFFFFFF
    for k, bits in enumerate((2.0 ** (np.arange(16) / 16)).astype(np.float32).view(np.uint32))
]
"""Of 2^(k/16), without what the low four bits of ``looked_up``'s sum will add to them."""
LOOKED_UP = (1.0000000069, 0.6931878314, 0.2402194621)
"""Minimax polynomial of 2^x for x to +-1/32, relative."""
CALCULATED = (
    1.0000000716553012,
    0.6931469670628845,
    0.2402211972075149,
    0.055507132750658515,
    0.00967554150262148,
    0.0013276471959515403,
)
"""2^f for f in -1/2..1/2, 1.5e-7 off at most in float32: an alpha that is off by more moves all of
a training step's gradients by as much."""


def polynomial(builder: Any, x: Any, coefficients: tuple[float, ...]) -> Any:
    """Horner's scheme; the lowest power comes first."""
    *lower, highest = (constant(c, x.type) for c in coefficients)
    curve = highest
    for c in reversed(lower):
        curve = fma(builder, curve, x, c)
    return curve


def rounded(builder: Any, power: Any, steps: int) -> tuple[Any, Any]:
    """The bits of a sum whose lowest ones are ``power`` in whole steps, that many to an octave; and
    what is left of it. Adding 1.5 2^23 rounds to an integer, half of it to halves."""
    rounder = constant(1.5 * 2.0**23 / steps, power.type)
    total = builder.fadd(power, rounder)
    rest = builder.fsub(power, builder.fsub(total, rounder))
    return builder.bitcast(total, ir.VectorType(INT32, power.type.count)), rest


def looked_up(builder: Any, power: Any) -> Any:
    """2^power to 4e-7: sixteenths of an octave come from a table in a register, which the sum's low
    four bits choose from; the next ones are the exponent."""
    steps, rest = rounded(builder, power, 16)
    kind = steps.type
    pick = llvm_function(builder, "llvm.x86.avx512.permvar.si.512", kind, kind, kind)
    octave = builder.shl(steps, constant(19, kind))
    scale = builder.add(pick(ir.Constant(kind, STEPS), steps), octave)
    return builder.fmul(builder.bitcast(scale, power.type), polynomial(builder, rest, LOOKED_UP))


def calculated(builder: Any, power: Any) -> Any:
    """2^power to 1.5e-7, anywhere: a whole number goes into the exponent's bits."""
    whole, rest = rounded(builder, power, 1)
    mantissa = builder.bitcast(polynomial(builder, rest, CALCULATED), whole.type)
    exponent = builder.shl(whole, constant(23, whole.type))
    return builder.bitcast(builder.add(mantissa, exponent), power.type)


MANTISSA = (1.45705126, -0.69419881, 0.23369891)
"""2^(m - 1) / m for m in 1..2, 3.5e-3 off at most, relative."""


def nearly(builder: Any, power: Any) -> Any:
    """2^p to 3.5e-3 of ``power``, which is p in units of a float's bits (FAST_SCALE, FAST_BIAS). As
    bits it is the float that 2^p would be if mantissas went straight; a curve bends them."""
    bits = builder.fptosi(power, ir.VectorType(INT32, power.type.count))
    mantissa = builder.and_(bits, constant(0x007FFFFF, bits.type))
    mantissa = builder.or_(mantissa, constant(0x3F800000, bits.type))
    curve = polynomial(builder, builder.bitcast(mantissa, power.type), MANTISSA)
    return builder.fmul(builder.bitcast(bits, power.type), curve)


exp2 = looked_up if has_wide_vectors() else calculated


def spread(builder: Any, record: Any, places: Iterable[int], kind: Any) -> Values:
    """Numbers of a record, by their bytes' places, each in all lanes."""
    return [splat(builder, load(builder, record, place, FLOAT, 2), kind) for place in places]


def numbers_of(builder: Any, entries_at: Any, i: Any, shift: int = 0, size: int = GROUP) -> Values:
    """The record numbers of the ``size`` entries that begin with the i-th: the entries without
    their lowest ``shift`` bits."""
    place = builder.add(entries_at, times(builder, i, 4))
    entries = (builder.zext(load(builder, place, 4 * k, INT32), INT64) for k in range(size))
    return [builder.lshr(entry, ir.Constant(INT64, shift)) if shift else entry for entry in entries]


def record_at(builder: Any, records_at: Any, number: Any, floats: int = RECORD) -> Any:
    return builder.add(records_at, times(builder, number, 4 * floats))


def power_of(builder: Any, record: Any, x: Any, y: Any) -> Any:
    """The exponent of what one splat covers of the pixels (x, y), in the record's units."""
    px, py, qxx, qxy, qyy, peak = spread(builder, record, range(0, 24, 4), x.type)
    dx, dy = builder.fsub(x, px), builder.fsub(y, py)
    across = fma(builder, qxy, dy, builder.fmul(qxx, dx))
    return fma(builder, across, dx, fma(builder, builder.fmul(qyy, dy), dy, peak))


def cut(builder: Any, alpha: Any, power: Any, lowest: float, highest: Any) -> Any:
    """Alphas as they are drawn: at most ``highest``, and zero where the power is below
    ``lowest``."""
    alpha = builder.select(builder.fcmp_ordered("<", alpha, highest), alpha, highest)
    seen = builder.fcmp_ordered(">=", power, constant(lowest, power.type))
    return builder.select(seen, alpha, constant(0.0, power.type))


def alpha_of(builder: Any, record: Any, x: Any, y: Any, highest: Any) -> Any:
    """What one splat covers of the pixels (x, y)."""
    power = power_of(builder, record, x, y)
    return cut(builder, exp2(builder, power), power, LEAST_POWER, highest)


def alpha_nearly(builder: Any, record: Any, x: Any, y: Any, highest: Any) -> Any:
    """The same of a fast picture's record."""
    power = power_of(builder, record, x, y)
    least = FAST_SCALE * LEAST_POWER + FAST_BIAS
    return cut(builder, nearly(builder, power), power, least, highest)


def pass_through(builder: Any, before: Any, alpha: Any) -> tuple[Any, Any]:
    """The transmittance behind a splat, and where it is drawn at all."""
    after = fma(builder, builder.fneg(before), alpha, before)
    least = constant(float(MIN_TRANSMITTANCE), before.type)
    return after, builder.fcmp_ordered(">", after, least)


def shows(builder: Any, before: Any, sums: Values) -> Any:
    """Where a fast picture would show what lies behind."""
    kind = before.type
    ease, stop = constant(FAST_EASE, kind), constant(FAST_STOP, kind)
    limit = fma(builder, ease, darkest(builder, sums[:3]), stop)
    return builder.fcmp_ordered(">", before, limit)


def refilled(builder: Any, state: Values, early: Any) -> Values:
    """A fast picture's state where a block has ended ``early``: what lies behind would look much as
    what is there, so there is more of that."""
    left, *sums = state
    kind = left.type
    share = builder.select(early, constant(FAST_REFILL, kind), constant(0.0, kind))
    filled = builder.fmul(share, left)
    return [builder.fsub(left, filled), *(fma(builder, v, filled, v) for v in sums)]


def darkest(builder: Any, channels: Values) -> Any:
    least = channels[0]
    for channel in channels[1:]:
        least = builder.select(builder.fcmp_ordered("<", channel, least), channel, least)
    return least


def added(builder: Any, sums: Values, weight: Any, tint: Values) -> Values:
    """The sums of colour and depth with one splat's share."""
    return [fma(builder, weight, value, total) for value, total in zip(tint, sums, strict=True)]


def blend_by(shift: int, size: int, fast: bool = False) -> Callable[..., Any]:
    """Put ``count`` splats behind what the state holds, until no pixel lets more light through than
    MIN_TRANSMITTANCE, or of a ``fast`` picture until ``shows`` says no; entries as of
    ``numbers_of``."""
    floats, tint = (SHORT_RECORD, SHORT_TINT) if fast else (RECORD, TINT)
    alpha_by = alpha_nearly if fast else alpha_of

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        records_at, entries_at, state_at = addresses(context, builder, signature, args, (0, 1, 3))
        kind = ir.VectorType(FLOAT, WIDTH)
        highest, nothing = splat(builder, args[4], kind), constant(0.0, kind)
        for part in range(LANES // WIDTH):
            pixels_at = plus(builder, state_at, 4 * WIDTH * part)
            *start, x, y = (load(builder, pixels_at, 64 * row, kind) for row in range(8))

            def group(i: Any, carried: Values, x: Any = x, y: Any = y) -> tuple[Values, Any]:
                numbers = numbers_of(builder, entries_at, i, shift, size)
                records = [record_at(builder, records_at, number, floats) for number in numbers]
                alphas = [alpha_by(builder, record, x, y, highest) for record in records]
                before, *sums, cover = carried
                for record, alpha in zip(records, alphas, strict=True):
                    after, drawn = pass_through(builder, before, alpha)
                    # A subtraction has pipes of its own, and is off by what a fast picture can be.
                    gone = builder.fsub if fast else builder.fmul
                    share = gone(before, after if fast else alpha)
                    weight = builder.select(drawn, share, nothing)
                    sums = added(builder, sums, weight, spread(builder, record, tint, kind))
                    before, cover = after, builder.fadd(cover, weight)
                going_on = shows(builder, before, sums) if fast else drawn
                return [before, *sums, cover], any_of(builder, going_on)

            stopped, end = over_groups(builder, args[2], size, start, group)
            if fast:
                early = builder.icmp_signed("<", stopped, args[2])
                end = refilled(builder, end, early)
            for row, value in enumerate(end):
                store(builder, value, pixels_at, 64 * row)
        return context.get_dummy_value()

    def typed(
        typing_context: Any, records: Any, entries: Any, count: Any, state: Any, max_alpha: Any
    ) -> Any:
        return types.none(records, entries, types.intp, state, types.float32), generate

    return instruction(typed)


blend = blend_by(16, LONG_GROUP)
"""For lists whose numbers stand above their blocks' flags, as in drawing.py."""
blend_fast = blend_by(16, LONG_GROUP, fast=True)
"""The same for a fast picture."""
blend_numbered = blend_by(0, GROUP)
"""For lists of plain numbers, as in backward_tiles.py."""

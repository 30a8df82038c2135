"""Words for attention_kernels.py, in LLVM's portable vector IR: loops, powers of 2, transposing.

As with those of winograd_kernels.py: numba does not renew what it keeps on disk when this changes,
but when the file of the calling function does (model/kernels.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir

from sharp_xr.model.sharp.cpu.winograd_kernels import (
    FLOATS,
    INT64,
    INTS,
    LANES,
    at_least,
    fma,
    llvm_call,
)

EXP2 = {
    # Remez, of the relative error in -1/2..1/2; lowest power first.
    3: (0.9999280735394012, 0.6932609854606555, 0.24261112219321604, 0.055171669057925),  # 7.5e-5
    5: (  # 7.5e-8
        1.0000000716546849,
        0.6931469670647609,
        0.24022119723839974,
        0.055507132734978495,
        0.009675541334453752,
        0.0013276471992533978,
    ),
}
ROUNDING = 1.5 * 2**23
"""What is added to it has no place left for a fraction: its lowest bits are a whole number."""
LEAST = -126.0
"""2 to this is the smallest float32 that is not subnormal, and nothing beside the largest, 1."""


class BFloat(ir.types.Type):  # type: ignore[misc]
    """LLVM's bfloat, which llvmlite does not know."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BFloat)

    def __hash__(self) -> int:
        return hash(BFloat)


BFLOAT = BFloat()
BFLOATS, BFLOAT_PAIRS = ir.VectorType(BFLOAT, LANES), ir.VectorType(BFLOAT, 2 * LANES)


def multiplies_pairs() -> bool:
    """Whether the processor has AVX-512 BF16."""
    chosen = os.environ.get("NUMBA_CPU_FEATURES")
    if chosen is not None:
        return "+avx512bf16" in chosen.split(",")
    return bool(llvmlite.binding.get_host_cpu_features().get("avx512bf16", False))


def loop(
    builder: Any, count: Any, starts: list[Any], body: Callable[[Any, list[Any]], list[Any]]
) -> list[Any]:
    """``values = body(i, values)`` for i below ``count``, which is not zero; the last values."""
    entry, block = builder.block, builder.append_basic_block("loop")
    builder.branch(block)
    builder.position_at_end(block)
    i, values = builder.phi(INT64), [builder.phi(start.type) for start in starts]
    after = body(i, values)
    following, end = builder.add(i, ir.Constant(INT64, 1)), builder.block
    done = builder.append_basic_block("done")
    builder.cbranch(builder.icmp_signed("<", following, count), block, done)
    incoming = zip([i, *values], [ir.Constant(INT64, 0), *starts], [following, *after], strict=True)
    for phi, start, then in incoming:
        phi.add_incoming(start, entry)
        phi.add_incoming(then, end)
    builder.position_at_end(done)
    return after


def moved(builder: Any, place: Any, offset: int) -> Any:
    return builder.add(place, ir.Constant(INT64, offset))


def times(builder: Any, value: Any, factor: int) -> Any:
    return builder.mul(value, ir.Constant(INT64, factor))


def times_and_sum(builder: Any, pairs: bool, a: Any, b: Any, c: Any) -> Any:
    """a b + c; a and b are vectors of units."""
    if not pairs:
        return fma(builder, a, b, c)
    a, b = (builder.bitcast(value, BFLOAT_PAIRS) for value in (a, b))
    return llvm_call(builder, "llvm.x86.avx512bf16.dpbf16ps.512", FLOATS, c, a, b)


def exp2(builder: Any, x: Any, degree: int) -> Any:
    """2 to the power of x, in bits; x is not above 1."""
    x = at_least(builder, x, ir.Constant(FLOATS, [LEAST] * LANES))
    rounding = ir.Constant(FLOATS, [ROUNDING] * LANES)
    whole = builder.fadd(x, rounding)
    part = builder.fsub(x, builder.fsub(whole, rounding))
    *lower, power = (ir.Constant(FLOATS, [float(np.float32(c))] * LANES) for c in EXP2[degree])
    for coefficient in reversed(lower):
        power = fma(builder, power, part, coefficient)
    exponent = builder.shl(builder.bitcast(whole, INTS), ir.Constant(INTS, [23] * LANES))
    return builder.add(builder.bitcast(power, INTS), exponent)


def rounded(builder: Any, bits: Any) -> Any:
    """Bits of float32, not negative, to the nearest bfloat16; the lower half is zero."""
    bits = builder.add(bits, ir.Constant(INTS, [0x8000] * LANES))
    return builder.and_(bits, ir.Constant(INTS, [0xFFFF0000] * LANES))


def as_pairs(builder: Any, low: Any, high: Any) -> Any:
    """Two vectors, rounded, in the halves of one."""
    return builder.or_(builder.lshr(low, ir.Constant(INTS, [16] * LANES)), high)


def transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """LANES vectors: squares of 2, 4, ... lanes change places with their mirror images."""
    rows, width = list(rows), 1
    while width < LANES:
        first = [lane - width + LANES if lane & width else lane for lane in range(LANES)]
        second = [lane + LANES if lane & width else lane + width for lane in range(LANES)]
        for i in range(LANES):
            if not i & width:
                a, b = rows[i], rows[i + width]
                rows[i], rows[i + width] = (
                    builder.shuffle_vector(a, b, ir.Constant(INTS, lanes))
                    for lanes in (first, second)
                )
        width *= 2
    return rows

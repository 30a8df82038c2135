"""LLVM's portable vectors for the kernels' inner loops: what numba's own language has no words for.

Each function appends instructions to the block that a ``builder`` stands in; places are addresses
as 64-bit integers, offsets are bytes. Where a vector is wider than a register LLVM splits it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

LANES = 16
"""Pixels of a block, Gaussians that are projected at once: floats in the widest registers."""

Values = list[Any]

FLOAT, BIT = ir.FloatType(), ir.IntType(1)
INT16, INT32, INT64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)
FLOATS, INTS = ir.VectorType(FLOAT, LANES), ir.VectorType(INT32, LANES)
BITS = ir.VectorType(BIT, LANES)


def constant(value: float, kind: Any = FLOATS) -> Any:
    return ir.Constant(kind, [value] * kind.count)


def shuffle(builder: Any, value: Any, lanes: list[int]) -> Any:
    """The lanes of that number, in that order."""
    mask = ir.Constant(ir.VectorType(INT32, len(lanes)), lanes)
    return builder.shuffle_vector(value, ir.Constant(value.type, ir.Undefined), mask)


def splat(builder: Any, value: Any, kind: Any = FLOATS) -> Any:
    """The value in all lanes."""
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(INT32, 0))
    return shuffle(builder, first, [0] * kind.count)


def llvm_function(builder: Any, name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    """A call of one of LLVM's own functions."""
    kind = ir.FunctionType(result, arguments)
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    return lambda *values: builder.call(function, values)


def fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """a b + c, in one instruction where there is one."""
    kind = a.type
    return llvm_function(builder, f"llvm.fmuladd.v{kind.count}f32", kind, kind, kind, kind)(a, b, c)


def root(builder: Any, value: Any) -> Any:
    return llvm_function(builder, f"llvm.sqrt.v{value.type.count}f32", value.type, value.type)(
        value
    )


def any_of(builder: Any, bits: Any) -> Any:
    return llvm_function(builder, f"llvm.vector.reduce.or.v{bits.type.count}i1", BIT, bits.type)(
        bits
    )


def address(context: Any, builder: Any, array: Any, value: Any) -> Any:
    """Of an array's first element; ``array`` is its numba type."""
    data = context.make_array(array)(context, builder, value).data
    return builder.ptrtoint(data, INT64)


def addresses(
    context: Any, builder: Any, signature: Any, args: Any, numbers: tuple[int, ...]
) -> Values:
    """Of the arguments with these numbers, which are arrays."""
    return [address(context, builder, signature.args[k], args[k]) for k in numbers]


def times(builder: Any, value: Any, factor: int) -> Any:
    return builder.mul(value, ir.Constant(INT64, factor))


def plus(builder: Any, place: Any, offset: int) -> Any:
    return builder.add(place, ir.Constant(INT64, offset))


def load(builder: Any, place: Any, offset: int, kind: Any, align: int = 4) -> Any:
    at = builder.inttoptr(plus(builder, place, offset), kind.as_pointer())
    value = builder.load(at, typ=kind)
    value.align = align
    return value


def store(builder: Any, value: Any, place: Any, offset: int = 0) -> None:
    at = builder.inttoptr(plus(builder, place, offset), value.type.as_pointer())
    builder.store(value, at).align = 4


def prefetch(builder: Any, place: Any, to_write: bool = False) -> None:
    """Into the cache, while we work on something else. There is no harm in any place."""
    fetch = llvm_function(
        builder, "llvm.prefetch.p0", ir.VoidType(), ir.PointerType(), INT32, INT32, INT32
    )
    keep, data = 3, 1
    at = builder.inttoptr(place, ir.PointerType())
    fetch(at, *(ir.Constant(INT32, value) for value in (int(to_write), keep, data)))


def over_groups(
    builder: Any,
    count: Any,
    size: int,
    carried: Values,
    body: Callable[[Any, Values], tuple[Values, Any]],
) -> tuple[Any, Values]:
    """Call ``body(first entry, carried)`` for one group of ``size`` after the other, until it says
    False.

    Returns where it ended, and what was carried there.
    """
    zero, step = ir.Constant(INT64, 0), ir.Constant(INT64, size)
    entry = builder.block
    loop, done = builder.append_basic_block("group"), builder.append_basic_block("groups_done")
    builder.cbranch(builder.icmp_signed(">", count, zero), loop, done)
    builder.position_at_end(loop)
    i, *phis = (builder.phi(value.type) for value in (zero, *carried))
    following, goes_on = body(i, phis)
    results = [builder.add(i, step), *following]
    more = builder.and_(builder.icmp_signed("<", results[0], count), goes_on)
    for phi, first, result in zip((i, *phis), (zero, *carried), results, strict=True):
        phi.add_incoming(first, entry)
        phi.add_incoming(result, builder.block)
    end = builder.block
    builder.cbranch(more, loop, done)
    builder.position_at_end(done)
    outcome = [builder.phi(value.type) for value in results]
    for phi, first, result in zip(outcome, (zero, *carried), results, strict=True):
        phi.add_incoming(first, entry)
        phi.add_incoming(result, end)
    return outcome[0], outcome[1:]

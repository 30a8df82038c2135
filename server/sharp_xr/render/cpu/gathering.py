"""One chunk onto one tile in explicit vectors of 16: project, choose what is on it, pack records.

A compiler leaves the choosing and the turning of rows into records to scalar code, which costs more
than the projection; here it is a compression in registers and a transposition.

    13 rows of 16 --project--> rows of a record, box, kept?  --compress--> --transpose--> records
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types

from sharp_xr.render.cpu.compilation import instruction
from sharp_xr.render.cpu.lanes import Vector
from sharp_xr.render.cpu.records import RECORD, SHORT_RECORD, store_records
from sharp_xr.render.cpu.scene import CHUNK, ROWS
from sharp_xr.render.cpu.simd import compress, count_of, mask_of
from sharp_xr.render.cpu.vectors import (
    FLOAT,
    FLOATS,
    INT16,
    INT64,
    LANES,
    addresses,
    load,
    plus,
    prefetch,
    splat,
    store,
    times,
)
from sharp_xr.render.cpu.wide_projection import (
    SINGLE,
    centers,
    exact_of,
    may_touch,
    projected,
    rough_centers,
)


def fetch_lines(builder: Any, place: Any) -> None:
    """Ask for 16 Gaussians' cache lines, one of each row."""
    for row in range(ROWS):
        prefetch(builder, plus(builder, place, 4 * CHUNK * row))


def gather_by(fast: bool) -> Callable[..., Any]:
    """Append what the tile of ``width`` x ``height`` holds of the chunk that begins at
    ``rows[start]``, whose Gaussians reach ``reach`` metres at most; returns the new count. Up to 16
    records, boxes and depths beyond the count are written. ``following`` is where the next chunk
    begins: it is fetched meanwhile, for the memory's latency is longer than the work on one
    chunk."""
    floats = SHORT_RECORD if fast else RECORD

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        rows_at, aspect_at, records_at, boxes_at, depths_at = addresses(
            context, builder, signature, args, (0, 4, 7, 8, 9)
        )
        chunk_at, next_at = (builder.add(rows_at, times(builder, args[k], 4)) for k in (1, 2))
        shared = [
            Vector(builder, splat(builder, load(builder, aspect_at, 4 * k, FLOAT)))
            for k in range(SINGLE)
        ]
        camera = [] if fast else [exact_of(builder, aspect_at, k) for k in range(16)]
        reach_of_chunk, width, height = (
            Vector(builder, splat(builder, args[k])) for k in (3, 5, 6)
        )
        nobody = ir.Constant(INT16, 0)

        entry = builder.block
        body, shape, pack, after, done = (
            builder.append_basic_block(name)
            for name in ("near", "shape", "pack", "next", "gathered")
        )
        builder.branch(body)
        builder.position_at_end(body)
        i, found = builder.phi(INT64), builder.phi(INT64)
        at = builder.add(chunk_at, i)
        fetch_lines(builder, builder.add(next_at, i))
        lanes = [Vector(builder, load(builder, at, 4 * CHUNK * row, FLOATS)) for row in range(ROWS)]
        first_try = rough_centers(lanes, shared)
        near = mask_of(
            builder, may_touch(builder, first_try, reach_of_chunk, shared, width, height)
        )
        builder.cbranch(builder.icmp_unsigned("!=", near, nobody), shape, after)

        builder.position_at_end(shape)
        place_of = first_try if fast else centers(builder, lanes, camera, first_try.inverse)
        record, box, kept = projected(builder, lanes, place_of, shared, width, height, fast)
        mask = mask_of(builder, kept)
        builder.cbranch(builder.icmp_unsigned("!=", mask, nobody), pack, after)

        builder.position_at_end(pack)
        packed = [compress(builder, row, kept) for row in record]
        offset = times(builder, found, 4 * floats)
        store_records(builder, packed, builder.add(records_at, offset))
        offset = times(builder, found, 4)
        depth = compress(builder, place_of.depth.value, kept)
        store(builder, depth, builder.add(depths_at, offset))
        store(builder, compress(builder, box, kept), builder.add(boxes_at, offset))
        more = builder.add(found, count_of(builder, mask))
        builder.branch(after)

        builder.position_at_end(after)
        total = builder.phi(INT64)
        for result, block in ((found, body), (found, shape), (more, pack)):
            total.add_incoming(result, block)
        following = plus(builder, i, 4 * LANES)
        for phi, first, last in ((i, ir.Constant(INT64, 0), following), (found, args[10], total)):
            phi.add_incoming(first, entry)
            phi.add_incoming(last, after)
        end = ir.Constant(INT64, 4 * CHUNK)
        builder.cbranch(builder.icmp_signed("<", following, end), body, done)
        builder.position_at_end(done)
        return total

    def typed(
        typing_context: Any,
        rows: Any,
        start: Any,
        following: Any,
        reach: Any,
        aspect: Any,
        width: Any,
        height: Any,
        records: Any,
        boxes: Any,
        depths: Any,
        count: Any,
    ) -> Any:
        number, integer = types.float32, types.intp
        signature = integer(
            *(rows, integer, integer, number, aspect, number, number),
            *(records, boxes, depths, integer),
        )
        return signature, generate

    return instruction(typed)


gather_chunk = gather_by(fast=False)
gather_chunk_fast = gather_by(fast=True)
"""For a fast picture: short records, centres in float32, boxes to 14 bits."""

"""Threads that share a frame's work each take the next piece until none is left."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.core import types
from numpy.typing import NDArray

from sharp_xr.render.cpu.binning import TILE
from sharp_xr.render.cpu.compilation import instruction, kernel
from sharp_xr.render.cpu.projection import Lens

Counter = NDArray[np.int64]


@instruction
def take_ticket(typing_context: Any, counter: Any) -> Any:
    """The counter's value, which is one more for the next thread that asks."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        one = context.get_constant(types.int64, 1)
        return builder.atomic_rmw("add", data, one, "monotonic")

    return types.int64(counter), generate


@kernel
def next_tile(counter: Counter, views: int, lens: Lens) -> tuple[int, int, int, int]:
    """View, number of the tile, and the pixel (left, top) at its corner; view -1 if none is left.
    The views of one tile follow each other: the second finds the chunks in the cache."""
    across = (lens.width + TILE - 1) // TILE
    down = (lens.height + TILE - 1) // TILE
    ticket = take_ticket(counter)
    if ticket >= views * across * down:
        return -1, 0, 0, 0
    tile = ticket // views
    return ticket % views, tile, tile % across * TILE, tile // across * TILE

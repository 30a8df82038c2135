"""Depth below colour, so that a client can warp for where its head is by now.

    code c = near_m / z, clamped to 0..1; 0: nothing there       z: metres along the eye's axis
    luma   = 16 + 219 c, chroma 128                              one map for each eye

Steps of c are steps of parallax, wherever the surface is: 5 cm of head move what is ``near_m / c``
away by ``0.05 c / near_m`` tangents. A texel takes the nearest of the surfaces that its pixels and
those RIM around them see, never their mean, which would put a surface where none is. So the pixels
on an outline, which are of both sides, go with the nearer one: left to the farther side, they would
stand there as a second outline as soon as the nearer one moves.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from sharp_xr_protocol.messages import Layout

if TYPE_CHECKING:
    from torch import Tensor

Float32 = NDArray[np.float32]
UInt8 = NDArray[np.uint8]
F = TypeVar("F", bound=Callable[..., Any])

PIXELS_PER_TEXEL = 2
"""Each way. See README.md for what other sizes cost and give."""
RIM = 1
"""Pixels."""
BLACK, WHITE = 16, 235
"""Luma of c = 0 and of c = 1 (BT.709, limited range)."""
START_NEAR_M = 0.5
"""Until something is known of a scene."""
NEAREST_M, FARTHEST_M = 2.0**-5, 2.0**7
"""Bounds of what ``near_m`` may become."""


def layout_for(eye_width: int, eye_height: int, *, depth: bool) -> Layout:
    """Where colour and, if wanted, depth of eyes of this size go."""
    if not depth:
        return Layout(eye_width, eye_height)
    size = eye_width // PIXELS_PER_TEXEL, eye_height // PIXELS_PER_TEXEL
    return Layout(eye_width, eye_height, *size)


def picture_size(layout: Layout) -> tuple[int, int]:
    """Width and height of a frame's whole picture."""
    return 2 * layout.eye_width, layout.eye_height + layout.depth_height


class NearPlane:
    """``near_m`` of one scene's frames: a power of two metres, as steady as can be.

    Another ``near_m`` changes every code of the picture, which costs bits. So it follows what the
    codes of the last picture tell: fewer metres at once where too much was clamped, more where
    :data:`PATIENCE` pictures in a row left half of the codes unused.
    """

    PATIENCE = 30
    SHARE = 2e-3
    """Texels that may be nearer than ``near_m``: a stray Gaussian sets no scale."""

    ROOM = 0.8
    """Of the codes, what is used at most after ``near_m`` has grown: else it might shrink soon."""

    def __init__(self) -> None:
        self.near_m = START_NEAR_M
        self._unused = self.PATIENCE - 1  # pictures in a row; the first one decides at once

    def saw(self, codes: UInt8) -> None:
        """Luma of the last picture's maps, of any shape."""
        counts = np.bincount(codes.reshape(-1), minlength=256)
        as_near = np.cumsum(counts[::-1])[::-1]  # texels of this luma or more
        nearest = int(np.flatnonzero(as_near > self.SHARE * codes.size)[-1])
        if nearest >= WHITE:
            self.near_m, self._unused = max(NEAREST_M, self.near_m / 2), 0
            return
        room = self.ROOM * (WHITE - BLACK) / max(1, nearest - BLACK)
        doublings = max(0, math.floor(math.log2(room)))
        self._unused = self._unused + 1 if doublings and nearest > BLACK else 0
        if self._unused >= self.PATIENCE:
            self.near_m, self._unused = min(FARTHEST_M, self.near_m * 2**doublings), 0


def write_depth(depth: Float32, near_m: float, layout: Layout, rows: UInt8) -> None:
    """Codes of ``depth`` [V, H, W] into the luma rows [depth_height, >= V W] of a picture."""
    views, height, width = depth.shape
    assert (height, width) == (layout.eye_height, layout.eye_width)
    assert not height % layout.depth_height and not width % layout.depth_width
    used = views * layout.depth_width
    _nearest_codes(np.ascontiguousarray(depth), np.float32(near_m), rows[:, :used])
    rows[:, used:] = BLACK


def codes_on_device(depth: Tensor, near_m: float, layout: Layout) -> Tensor:
    """As :func:`write_depth`, of a tensor: [depth_height, 2 eye_width], to be rounded down."""
    import torch  # who has a tensor has it already

    views = len(depth)
    codes = torch.where(depth > 0, near_m / depth, 0).clamp(0, 1)
    size = layout.depth_height, layout.depth_width
    kernel = layout.eye_height // size[0], layout.eye_width // size[1]
    window = kernel[0] + 2 * RIM, kernel[1] + 2 * RIM
    maps = torch.nn.functional.max_pool2d(codes[:, None], window, kernel, RIM)[:, 0]  # [V, h, w]
    wide = maps.permute(1, 0, 2).reshape(size[0], views * size[1])
    luma: Tensor = BLACK + 0.5 + 219 * wide
    right = (0, views * layout.eye_width - wide.shape[1])
    return torch.nn.functional.pad(luma, right, value=BLACK)


def _compiled(function: F) -> F:
    return cast(F, numba.njit(nogil=True, cache=True, fastmath=True)(function))


FAR = np.float32(1e30)


@_compiled
def _nearest_codes(depth: Float32, near: np.float32, rows: UInt8) -> None:
    views, height, width = depth.shape
    map_height, map_width = len(rows), rows.shape[1] // views
    tall, wide = height // map_height, width // map_width
    # Of each column the nearest in a texel's rows, and of those the nearest in its columns.
    column = np.empty(width + 2 * RIM, np.float32)
    column[:RIM] = column[RIM + width :] = FAR
    inner = column[RIM : RIM + width]
    for view in range(views):
        for row in range(map_height):
            inner[:] = FAR
            for y in range(max(row * tall - RIM, 0), min((row + 1) * tall + RIM, height)):
                _keep_nearer(depth[view, y], inner)
            out = rows[row, view * map_width : (view + 1) * map_width]
            for x in range(map_width):
                nearest = FAR
                for dx in range(wide + 2 * RIM):
                    nearest = min(nearest, column[x * wide + dx])
                code = min(near / nearest, np.float32(1.0))
                out[x] = np.uint8(np.int32(np.float32(16.5) + np.float32(219.0) * code))


@_compiled
def _keep_nearer(depth: Float32, nearest: Float32) -> None:
    for x in range(len(nearest)):
        z = depth[x]
        nearest[x] = min(nearest[x], z if z > np.float32(0.0) else FAR)

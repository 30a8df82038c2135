"""A renderer's picture into an encoder's: planar float sRGB to yuv420p in one pass.

BT.709, limited range, written straight into the planes of a reused frame, eyes side by side:

    Y = 16 + 219 (0.2126 R + 0.7152 G + 0.0722 B)             R, G, B in 0 to 1
    U = 128 + 224 (-0.1146 R - 0.3854 G + 0.5000 B)           of the mean of 2 x 2 pixels
    V = 128 + 224 (0.5000 R - 0.4542 G - 0.0458 B)

(ITU-R BT.709-6, items 3.2 to 3.5). Rounding is to nearest; numbers outside 0 to 1 are clipped.
Codes of depth stand below, if the layout has them (``depth.py``). A frame that is on a GPU is
converted there: it leaves the device once, and as bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import av
import numba
import numpy as np
from numpy.typing import NDArray

from sharp_xr.render import Frame
from sharp_xr.render.device_frame import DeviceFrame, to_host
from sharp_xr.stream.depth import codes_on_device, write_depth
from sharp_xr_protocol.messages import Layout

if TYPE_CHECKING:
    from torch import Tensor

Float32 = NDArray[np.float32]
UInt8 = NDArray[np.uint8]
Rows = tuple[Float32, Float32, Float32]
"""A row of red, one of green, one of blue, each [W]."""
F = TypeVar("F", bound=Callable[..., Any])

KR, KB = np.float32(0.2126), np.float32(0.0722)
KG = np.float32(1.0) - KR - KB
# Of a sum of four pixels: hence the quarter.
U_SCALE = np.float32(0.25 * 224.0 / (2.0 * (1.0 - 0.0722)))
V_SCALE = np.float32(0.25 * 224.0 / (2.0 * (1.0 - 0.2126)))


def _compiled(function: F) -> F:
    """numba, without the interpreter's lock; compiled at the first call, not at import."""
    return cast(F, numba.njit(nogil=True, cache=True, fastmath=True)(function))


def new_picture(width: int, height: int) -> av.VideoFrame:
    """A yuv420p frame to be written into.

    Raises:
        ValueError: an odd number of pixels, which has no 2 x 2 chroma.
    """
    if width % 2 or height % 2:
        raise ValueError(f"a picture of {width} x {height} px, wanted even numbers")
    return av.VideoFrame(width, height, "yuv420p")


def write_frame(
    frame: Frame, picture: av.VideoFrame, layout: Layout | None = None, near_m: float = 0.0
) -> None:
    """Write a frame's views side by side, wherever it is, and their depth below them.

    The picture is V W wide and H + ``layout.depth_height`` high; without a layout it has no depth.
    """
    with_depth = layout is not None and layout.depth_height > 0
    if isinstance(frame, DeviceFrame):
        tensors = frame.tensors
        codes = codes_on_device(tensors.depth, near_m, layout) if layout and with_depth else None
        _copy_planes(to_host(yuv_on_device(tensors.rgb, codes)), picture)
        return
    write_picture(frame.rgb, picture)
    if layout and with_depth:
        y, u, v = planes(picture)
        write_depth(frame.depth, near_m, layout, y[layout.eye_height :])
        for chroma in (u, v):
            chroma[layout.eye_height // 2 :] = 128


def yuv_on_device(rgb: Tensor, codes: Tensor | None = None) -> Tensor:
    """[V, 3, H, W] sRGB -> the planes one after the other, [1.5 H V W] bytes.

    ``codes`` [h, V W] are further rows of luma, whose chroma is 128.
    """
    import torch  # who has a tensor has it already

    views, _, height, width = rgb.shape
    wide = rgb.clamp(0, 1).permute(1, 2, 0, 3).reshape(3, height, views * width)
    four = wide.view(3, height // 2, 2, -1, 2).sum((2, 4))  # [3, H / 2, V W / 2]
    kr, kg, kb = float(KR), float(KG), float(KB)
    luma, luma4 = (kr * r + kg * g + kb * b for r, g, b in (wide, four))
    u, v = float(U_SCALE) * (four[2] - luma4), float(V_SCALE) * (four[0] - luma4)
    parts = [(16.5 + 219 * luma), (128.5 + u), (128.5 + v)]
    if codes is not None:
        grey = codes.new_full((len(codes) // 2, codes.shape[1] // 2), 128)
        below = (codes, grey, grey)
        parts = [torch.cat((above, low)) for above, low in zip(parts, below, strict=True)]
    return torch.cat([part.flatten() for part in parts]).to(torch.uint8)


def _copy_planes(packed: UInt8, picture: av.VideoFrame) -> None:
    """[1.5 H W] -> the rows of the picture, which have padding at their ends."""
    parts = planes(picture)
    assert len(packed) == sum(plane.size for plane in parts)
    for plane in parts:
        plane[:] = packed[: plane.size].reshape(plane.shape)
        packed = packed[plane.size :]


def write_picture(rgb: Float32, picture: av.VideoFrame) -> None:
    """Write views side by side, the first one left.

    ``rgb`` is [V, 3, H, W] sRGB; the picture is V W wide, and its upper H rows are written.
    """
    views, channels, height, width = rgb.shape
    assert channels == 3 and picture.width == views * width and picture.height >= height
    y, u, v = _rows(picture)
    _planar_to_yuv(np.ascontiguousarray(rgb), y, u, v)


def planes(picture: av.VideoFrame) -> tuple[UInt8, UInt8, UInt8]:
    """Y [H, W], U and V [H/2, W/2] of a yuv420p frame: views of its memory, not copies."""
    width, height = picture.width, picture.height
    y, u, v = _rows(picture)
    return y[:height, :width], u[: height // 2, : width // 2], v[: height // 2, : width // 2]


def _rows(picture: av.VideoFrame) -> tuple[UInt8, UInt8, UInt8]:
    """The planes with the padding at the end of each row."""
    y, u, v = (
        np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        for plane in picture.planes
    )
    return y, u, v


def warm_up() -> None:
    """Compile what the first frame would wait for (a second; milliseconds once it is cached)."""
    frame = Frame(*(np.zeros(shape, np.float32) for shape in ((2, 3, 4, 4), (2, 4, 4), (2, 4, 4))))
    write_frame(frame, new_picture(8, 6), Layout(4, 4, 2, 2), 1.0)


# Row by row through slices, so that LLVM sees unit strides and indices that cannot be negative, and
# makes SIMD of the inner loops: 0.25 ms for 1024 x 512, a third of what plain indexing takes.


@_compiled
def _planar_to_yuv(rgb: Float32, y: UInt8, u: UInt8, v: UInt8) -> None:
    views, _, height, width = rgb.shape
    half, half_height = width // 2, height // 2
    for view in range(views):
        for row in range(height):
            r, g, b = rgb[view, 0, row], rgb[view, 1, row], rgb[view, 2, row]
            _luma_row(r, g, b, y[row, view * width : (view + 1) * width])
        for row in range(half_height):
            top, low, start = 2 * row, 2 * row + 1, view * half
            _chroma_row(
                (rgb[view, 0, top], rgb[view, 1, top], rgb[view, 2, top]),
                (rgb[view, 0, low], rgb[view, 1, low], rgb[view, 2, low]),
                u[row, start : start + half],
                v[row, start : start + half],
            )


@_compiled
def _unit(value: np.float32) -> np.float32:
    return min(max(value, np.float32(0.0)), np.float32(1.0))


@_compiled
def _luma_row(r: Float32, g: Float32, b: Float32, y: UInt8) -> None:
    for x in range(len(y)):
        luma = KR * _unit(r[x]) + KG * _unit(g[x]) + KB * _unit(b[x])
        y[x] = np.uint8(np.int32(np.float32(16.5) + np.float32(219.0) * luma))


@_compiled
def _chroma_row(top: Rows, low: Rows, u: UInt8, v: UInt8) -> None:
    for x in range(len(u)):
        r = _sum4(top[0], low[0], x)
        g = _sum4(top[1], low[1], x)
        b = _sum4(top[2], low[2], x)
        luma = KR * r + KG * g + KB * b
        u[x] = np.uint8(np.int32(np.float32(128.5) + U_SCALE * (b - luma)))
        v[x] = np.uint8(np.int32(np.float32(128.5) + V_SCALE * (r - luma)))


@_compiled
def _sum4(top: Float32, low: Float32, x: int) -> np.float32:
    upper = _unit(top[2 * x]) + _unit(top[2 * x + 1])
    return np.float32(upper + _unit(low[2 * x]) + _unit(low[2 * x + 1]))

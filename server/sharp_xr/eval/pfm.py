"""Portable float maps, the form of Middlebury's and ETH3D's disparities (Debevec's format)."""

from __future__ import annotations

import re

import numpy as np

from sharp_xr.gaussians import Float32

HEAD = re.compile(rb"\A(P[Ff])\s+(\d{1,6})\s+(\d{1,6})\s+([-+.\deE]+)\s")


def read_pfm(data: bytes) -> Float32:
    """[H, W] or [H, W, 3]; rows are stored from the bottom, and come out from the top.

    Raises:
        ValueError: no PFM, or one that is cut short.
    """
    head = HEAD.match(data)
    if head is None:
        raise ValueError("it does not begin as a PFM does: Pf or PF, width, height, scale")
    kind, width, height = head[1], int(head[2]), int(head[3])
    try:
        order = "<" if float(head[4]) < 0 else ">"
    except ValueError as error:
        raise ValueError(f"its scale is {head[4].decode()!r}, wanted a number") from error
    channels = 3 if kind == b"PF" else 1
    count = width * height * channels
    body = data[head.end() :]
    if len(body) < 4 * count:
        raise ValueError(
            f"it has {len(body)} bytes for {width} x {height} pixels, wanted {4 * count}"
        )
    rows = np.frombuffer(body, f"{order}f4", count).reshape(height, width, channels)[::-1]
    result: Float32 = np.ascontiguousarray(rows if channels == 3 else rows[..., 0], np.float32)
    return result

"""Depth in colours: blue is near, red is far (A. Mikhailov 2019, "Turbo, an improved rainbow
colormap for visualization"), as SHARP's depth films have it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sharp_xr.gaussians import Float32

TURBO = (
    *("30123b", "4040a1", "466be3", "4293ff", "29bbec", "18dcc3", "31f299", "6bfd64", "a3fd3c"),
    *("cced34", "edd03a", "fdae35", "fb8022", "ec520f", "d23105", "ac1701", "7a0403"),
)
"""Every sixteenth of the map; straight lines between them are within 7 of 255 of it."""
MAX_FAR_M = 50.0
"""What is further off looks like this (SHARP's limit)."""


def far_of(depth: Float32) -> float:
    """Metres that get the last colour: the depth's largest, or SHARP's limit if that is less."""
    return min(float(depth.max(initial=0.0)), MAX_FAR_M)


def turbo(depth: Float32, far_m: float) -> NDArray[np.uint8]:
    """[...] metres -> [..., 3] sRGB; black where there is nothing, which has depth 0."""
    table = np.array([list(bytes.fromhex(color)) for color in TURBO], float)
    place = np.clip(depth / max(far_m, 1e-6), 0.0, 1.0) * (len(table) - 1)
    channels = [np.interp(place, np.arange(len(table)), channel) for channel in table.T]
    colors = np.stack(channels, axis=-1) + 0.5
    return np.where(depth[..., None] > 0, colors, 0.0).astype(np.uint8)

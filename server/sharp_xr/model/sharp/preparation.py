"""A photo as the network takes it: squeezed into a square, its aspect ignored (section 1)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def squeezed(image: NDArray[np.uint8], side: int) -> Tensor:
    """[H, W, 3] sRGB -> [1, 3, side, side] 0..1, bilinear, corner pixels onto corner pixels.

    No antialiasing: that is what the network was trained on. Only the pixels that are sampled are
    made floats, so that a photo of 64 megapixels costs no gigabyte.
    """
    top, bottom, down = _samples(image.shape[0], side)
    left, right, across = _samples(image.shape[1], side)
    weight = across[None, :, None]
    upper, lower = (
        image[rows[:, None], left] * (1 - weight) + image[rows[:, None], right] * weight
        for rows in (top, bottom)
    )
    mixed = upper * (1 - down)[:, None, None] + lower * down[:, None, None]
    return torch.from_numpy(mixed / np.float32(255)).permute(2, 0, 1)[None].contiguous()


def _samples(
    length: int, count: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Pixels before and after each of ``count`` samples, and the share of the latter.

    In float32, as torch's own ``interpolate(align_corners=True)`` computes it: in a wide photo the
    rounding moves a sample by a thousandth of a pixel.
    """
    step = np.float32(length - 1) / np.float32(count - 1)
    place = step * np.arange(count, dtype=np.float32)
    before = np.minimum(place.astype(np.intp), length - 1)
    return before, np.minimum(before + 1, length - 1), place - before.astype(np.float32)

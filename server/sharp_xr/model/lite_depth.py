"""What a trained depth network says of a photo: inverse depth in two layers, small and blurred.

photo --two sizes, each with its mirror image--> LiteNetwork --> mean --as_in_photos--> 1/m
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sharp_xr.gaussians import Float32
from sharp_xr.model.edges import aligned
from sharp_xr.model.grid import Grid, resized
from sharp_xr.model.lite_network import STRIDE, LiteNetwork, metric_depth, normalised
from sharp_xr.model.surfaces import within
from sharp_xr.photo import Photo

INPUT_PX = 320, 192
"""The longer sides of what the network sees. At the larger one it sees edges, at the smaller one
most of the picture at once; their errors are not the same, so the mean has fewer."""
RELIEF, SCALE = 0.85, 1.09
"""What photos are to drawn scenes: relief, the logarithm of depth over the photo's median, is so
much of what the network says, and all is so much farther. It learned from drawn scenes, and is
surer of itself before a photo than it may be. By the seven pairs of `scripts/bench fidelity`: the
geometric mean of their scales, and, between 0.8 and 0.9, where depth and pictures were best."""


def inverse_depth(network: LiteNetwork, photo: Photo) -> Float32:
    """[2, h, w] 1/m of the visible layer and of the one behind it, half the size of the network's
    input, and blurred."""
    with torch.inference_mode():
        large, small = (_log_depth(network, photo, px) for px in INPUT_PX)
        wide = functional.interpolate(small, large.shape[2:], mode="bilinear", align_corners=False)
        inverse: Float32 = torch.exp(-as_in_photos((large + wide)[0] / 2)).cpu().numpy()
    return inverse


def sharp_depth(network: LiteNetwork, photo: Photo) -> Float32:
    """[H, W] metres of the visible layer, sharp, a cell for each of the photo's pixels."""
    grid = Grid.of(photo, photo.width * photo.height)
    visible, _ = inverse_depth(network, photo)
    result: Float32 = np.float32(1) / within(aligned(visible, photo.image, grid))
    return result


def seen(photo: Photo, longer_px: int, like: Tensor) -> Tensor:
    """[1, 3, H, W] the photo as the network sees it, on the device of ``like``."""
    rows, columns = input_size(photo.height, photo.width, longer_px)
    picture = torch.from_numpy(resized(photo.image, rows, columns).copy())[None]
    return normalised(picture.to(like.device))


def _log_depth(network: LiteNetwork, photo: Photo, longer_px: int) -> Tensor:
    """[1, 2, h, w] log of metres, of the photo at that size and its mirror image."""
    x = seen(photo, longer_px, network.head.weight)
    # The mirrored photo steadies edges; in one batch it costs half as much again.
    plain, mirrored = network(torch.cat([x, x.flip(3)])).split(1)
    y = (plain + mirrored.flip(3)) / 2
    return metric_depth(y, photo.focal_px * x.shape[3] / photo.width).log()


def as_in_photos(log_depth: Tensor) -> Tensor:
    """Depth as drawn scenes taught it -> what it is in photos: RELIEF, SCALE. [2, h, w], log of
    metres; the visible layer's median is what both are seen from."""
    middle = log_depth[0].median()
    return math.log(SCALE) + middle + RELIEF * (log_depth - middle)


def input_size(height: int, width: int, longer_px: int = INPUT_PX[0]) -> tuple[int, int]:
    """Rows and columns of the network's input: multiples of STRIDE, near the photo's aspect; of two
    that are as near, the smaller."""
    scale = longer_px / max(height, width)
    rows, columns = (
        max(1, math.ceil(side * scale / STRIDE - 0.5)) * STRIDE for side in (height, width)
    )
    return rows, columns

"""The embedded predictor: a small depth network, and Gaussians in two layers made from its depth.

photo --two sizes, mirrored--> LiteNetwork --> inverse depth of two layers, small and blurred
  |                                    | edges.py: the visible one sharp, on the photo's edges
  +--resize--> grid of cells ----------+
                                       | layers.py: what is behind the edges
                                       | sharpening.py: colours against the blur
                                       | initializer.py: SHARP's rules
                                   Gaussians
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sharp_xr.gaussians import Float32, Gaussians
from sharp_xr.model import ModelError, Progress, silent
from sharp_xr.model.border import rim
from sharp_xr.model.edges import aligned, enlarged
from sharp_xr.model.grid import Grid, resized, to_linear
from sharp_xr.model.initializer import deviations, joined, surface_gaussians
from sharp_xr.model.layers import torn_edges
from sharp_xr.model.lite_network import STRIDE, LiteNetwork, load_lite, metric_depth, normalised
from sharp_xr.model.matting import unmixed
from sharp_xr.model.second_layer import second_layer
from sharp_xr.model.sharpening import sharpened
from sharp_xr.photo import Photo

VISIBLE_GAUSSIANS = 262_144
"""At most about so many in the visible layer."""
INPUT_PX = 320, 192
"""The longer sides of what the network sees. At the larger one it sees edges, at the smaller one
most of the picture at once; their errors are not the same, so the mean has fewer."""
RELIEF, SCALE = 0.85, 1.15
"""What photos are to drawn scenes: relief, the logarithm of depth over the photo's median, is so
much of what the network says, and all is so much farther. It learned from drawn scenes, and is
surer of itself before a photo than it may be. By the seven pairs of `scripts/bench fidelity`: the
geometric mean of their scales, and, between 0.8 and 0.9, where depth and pictures were best."""
NEAREST_M, FARTHEST_M = 0.1, 200.0
"""Depths that leave here."""


class LitePredictor:
    """See the module. Uses as many threads as torch does in this process."""

    name = "lite"

    def __init__(self, checkpoint: Path | None = None, device: str = "cpu") -> None:
        """Raises ModelError: weights that cannot be read or do not fit, or no such device."""
        try:
            self.device = torch.device(device)
            self.network: LiteNetwork = load_lite(checkpoint, device)
        except (RuntimeError, AssertionError) as error:
            raise ModelError(f"the model lite cannot run on {device!r}: {error}") from error

    def warm_up(self) -> None:
        """Run once, small: torch sets itself up, and kernels are compiled."""
        self.predict(Photo(np.full((192, 256, 3), 128, np.uint8), 200.0))

    def predict(self, photo: Photo, progress: Progress = silent) -> Gaussians:
        """Some 300,000 Gaussians, fewer for a small photo; the same ones for the same photo."""
        progress(0.0)
        grid = Grid.of(photo, VISIBLE_GAUSSIANS)
        small, learned = self.inverse_depth(photo)
        progress(0.2)
        image = resized(photo.image, grid.rows, grid.columns)
        inverse = within(aligned(small, image, grid))
        progress(0.5)
        colors = unmixed(to_linear(image), inverse)
        edges = torn_edges(inverse, grid)
        learned = within(enlarged(learned, grid.rows, grid.columns))
        hidden = second_layer(inverse, edges, grid, colors, learned)
        progress(0.7)
        sigmas = deviations(colors)
        shown = sharpened(colors, inverse, sigmas)
        visible = surface_gaussians(inverse, edges, grid, shown, sigmas=sigmas)
        parts = [visible, hidden, rim(inverse, grid, colors)]
        gaussians = joined([part for part in parts if part is not None])
        progress(1.0)
        return gaussians

    def depth(self, photo: Photo) -> Float32:
        """[H, W] metres of the visible layer, sharp, a cell for each of the photo's pixels."""
        grid = Grid.of(photo, photo.width * photo.height)
        visible, _ = self.inverse_depth(photo)
        result: Float32 = np.float32(1) / within(aligned(visible, photo.image, grid))
        return result

    def inverse_depth(self, photo: Photo) -> Float32:
        """[2, h, w] 1/m of the visible layer and of the one behind it, half the size of the
        network's input, and blurred."""
        with torch.inference_mode():
            large, small = (self._log_depth(photo, px) for px in INPUT_PX)
            wide = functional.interpolate(
                small, large.shape[2:], mode="bilinear", align_corners=False
            )
            inverse: Float32 = torch.exp(-as_in_photos((large + wide)[0] / 2)).cpu().numpy()
        return inverse

    def _log_depth(self, photo: Photo, longer_px: int) -> Tensor:
        """[1, 2, h, w] log of metres, of the photo at that size and its mirror image."""
        rows, columns = input_size(photo.height, photo.width, longer_px)
        picture = torch.from_numpy(resized(photo.image, rows, columns).copy())[None]
        x = normalised(picture.to(self.device))
        # The mirrored photo steadies edges; in one batch it costs half as much again.
        plain, mirrored = self.network(torch.cat([x, x.flip(3)])).split(1)
        y = (plain + mirrored.flip(3)) / 2
        return metric_depth(y, photo.focal_px * columns / photo.width).log()


def within(inverse: Float32) -> Float32:
    """Inverse depth of any shape, brought between FARTHEST_M and NEAREST_M."""
    result: Float32 = np.clip(inverse, 1 / FARTHEST_M, 1 / NEAREST_M)
    return result


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

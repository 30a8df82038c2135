"""A trained `lite_gaussians.py` as a predictor: `lite.py` with learned corrections.

Depth and grid are as in ``lite.py``; the head sees the depth network's features of the larger of
the two sizes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from sharp_xr.gaussians import Float32, Gaussians
from sharp_xr.model import ModelError, Progress, silent
from sharp_xr.model.border import rim
from sharp_xr.model.grid import Grid, resized, to_linear
from sharp_xr.model.initializer import joined
from sharp_xr.model.lite import VISIBLE_GAUSSIANS
from sharp_xr.model.lite_depth import INPUT_PX, inverse_depth, seen, sharp_depth
from sharp_xr.model.lite_gaussians_file import load_lite_gaussians
from sharp_xr.model.sharp.unprojection import unproject
from sharp_xr.photo import Photo

FAINTEST = 1 / 255
"""Opacity below which no renderer draws."""


class LiteGaussiansPredictor:
    """See the module. Uses as many threads as torch does in this process."""

    name = "lite"

    def __init__(self, checkpoint: Path, device: str = "cpu") -> None:
        """Raises ModelError: weights that cannot be read or do not fit, or no such device."""
        try:
            self.device = torch.device(device)
            self.network = load_lite_gaussians(checkpoint, device)
        except (RuntimeError, AssertionError) as error:
            raise ModelError(f"the model lite cannot run on {device!r}: {error}") from error

    def warm_up(self) -> None:
        """Run once, small: torch sets itself up, and kernels are compiled."""
        self.predict(Photo(np.full((192, 256, 3), 128, np.uint8), 200.0))

    def predict(self, photo: Photo, progress: Progress = silent) -> Gaussians:
        """Two layers of Gaussians, without those that nobody would see."""
        progress(0.0)
        grid = Grid.of(photo, VISIBLE_GAUSSIANS)
        image = resized(photo.image, grid.rows, grid.columns)
        small = inverse_depth(self.network.depth, photo)
        progress(0.2)
        picture = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode():
            features = self.network.depth.features(seen(photo, INPUT_PX[0], self._weight))
            gaussians, base, _ = self.network.corrected(
                picture.to(self.device),
                torch.from_numpy(small)[None].to(self.device),
                features,
                torch.tensor([photo.focal_px / photo.width]),
            )
            half = self.network.half_view(grid.rows, grid.columns)
            means, covariances = unproject(
                gaussians, 2 * half[0] / grid.fx, 2 * half[1] / grid.fy, 1.0
            )
        progress(0.8)
        parts = (means, covariances, gaussians.colors, gaussians.opacities)
        made = Gaussians(*(tensor[0].cpu().numpy() for tensor in parts))
        inverse: Float32 = (base.inverse_depth[0, 0, 0] / base.global_scale[0]).cpu().numpy()
        around = rim(inverse, grid, to_linear(image))
        drawn = made[made.opacities >= FAINTEST]
        progress(1.0)
        return drawn if around is None else joined([drawn, around])

    def depth(self, photo: Photo) -> Float32:
        """[H, W] metres of the visible layer, sharp, a cell for each of the photo's pixels."""
        return sharp_depth(self.network.depth, photo)

    @property
    def _weight(self) -> torch.Tensor:
        return self.network.depth.head.weight

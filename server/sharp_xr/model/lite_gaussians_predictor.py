"""A trained `lite_gaussians.py` as a predictor: one forward pass, and a rim around the photo."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch

from sharp_xr.gaussians import Float32, Gaussians
from sharp_xr.model import ModelError, Progress, silent
from sharp_xr.model.border import rim
from sharp_xr.model.grid import Grid, resized, to_linear
from sharp_xr.model.initializer import joined
from sharp_xr.model.lite_gaussians_file import load_lite_gaussians
from sharp_xr.model.lite_network import STRIDE
from sharp_xr.model.sharp.unprojection import unproject
from sharp_xr.photo import Photo

PIXELS = 384 * 384
"""Of the network's input, at least, and as many Gaussians in each layer."""
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
        """Run once, small: torch sets itself up."""
        self.predict(Photo(np.full((192, 256, 3), 128, np.uint8), 200.0))

    def predict(self, photo: Photo, progress: Progress = silent) -> Gaussians:
        """Two layers of at least 384 x 384 Gaussians, without those that nobody would see."""
        progress(0.0)
        rows, columns = input_size(photo.height, photo.width)
        image = resized(photo.image, rows, columns)
        picture = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode():
            parts = self.network.parts(
                picture.to(self.device), torch.tensor([photo.focal_px / photo.width]).to(picture)
            )
            fx, fy = photo.focal_px * columns / photo.width, photo.focal_px * rows / photo.height
            half = self.network.half_view(rows, columns)
            means, covariances = unproject(parts.gaussians, 2 * half[0] / fx, 2 * half[1] / fy, 1.0)
        progress(0.7)
        made = Gaussians(
            *(
                tensor[0].cpu().numpy()
                for tensor in (
                    means,
                    covariances,
                    parts.gaussians.colors,
                    parts.gaussians.opacities,
                )
            )
        )
        grid = Grid(rows, columns, fx, fy, columns / 2, rows / 2)
        inverse: Float32 = (1 / parts.depth[0, 0]).cpu().numpy()
        around = rim(inverse, grid, to_linear(image))
        seen = made[made.opacities >= FAINTEST]
        progress(1.0)
        return seen if around is None else joined([seen, around])


def input_size(height: int, width: int) -> tuple[int, int]:
    """Rows and columns: multiples of STRIDE, PIXELS of them or a little more, near the aspect."""
    scale = math.sqrt(PIXELS / (height * width))
    rows, columns = (max(1, math.ceil(side * scale / STRIDE)) * STRIDE for side in (height, width))
    return rows, columns

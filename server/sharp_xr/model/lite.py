"""The embedded predictor: a small depth network, and Gaussians in two layers made from its depth.

photo --> lite_depth.py: inverse depth of two layers, small and blurred
  |                 | surfaces.py: sharp on the photo's edges; colours
  +--> grid of cells+ second_layer.py: what is behind the edges
                    | initializer.py: SHARP's rules
                 Gaussians
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sharp_xr.gaussians import Float32, Gaussians
from sharp_xr.model import ModelError, Progress, silent
from sharp_xr.model.border import rim
from sharp_xr.model.grid import Grid, resized
from sharp_xr.model.initializer import joined, surface_gaussians
from sharp_xr.model.lite_depth import inverse_depth, sharp_depth
from sharp_xr.model.lite_network import LiteNetwork, load_lite
from sharp_xr.model.second_layer import second_layer
from sharp_xr.model.surfaces import surfaces
from sharp_xr.photo import Photo

VISIBLE_GAUSSIANS = 262_144
"""At most about so many in the visible layer."""


class LitePredictor:
    """See the module. Uses as many threads as torch does in this process."""

    name = "lite"

    def __init__(self, checkpoint: Path | None = None, device: str = "cpu") -> None:
        """Raises ModelError: weights that cannot be read or do not fit, or no such device."""
        try:
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
        small = inverse_depth(self.network, photo)
        progress(0.2)
        made = surfaces(small, resized(photo.image, grid.rows, grid.columns), grid)
        progress(0.7)
        visible = surface_gaussians(made.inverse, made.edges, grid, made.shown, sigmas=made.sigmas)
        hidden = second_layer(made.inverse, made.edges, grid, made.colors, made.learned)
        parts = [visible, hidden, rim(made.inverse, grid, made.colors)]
        gaussians = joined([part for part in parts if part is not None])
        progress(1.0)
        return gaussians

    def depth(self, photo: Photo) -> Float32:
        """[H, W] metres of the visible layer, sharp, a cell for each of the photo's pixels."""
        return sharp_depth(self.network, photo)

"""Sheets: what a training's samples look like now, to be looked at."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sharp_xr.render.turbo import turbo
from sharp_xr.train.samples import Batch
from sharp_xr.train.step import Step, draw, novel_mask

FARTHEST_M = 12.0
"""Depth that is drawn red."""


def sheet(step: Step, batch: Batch) -> NDArray[np.uint8]:
    """A row per picture: input, input drawn again, novel view, the same drawn, depth as predicted,
    true depth; [B H, 6 W, 3] sRGB. Where the novel view shows what the photo did not, it is dim."""
    with torch.no_grad():
        parts = step.network.parts(batch.rgb[:, 0], batch.focal_over_width)
        drawn = draw(parts.gaussians, step.network.half_view(*batch.size), batch)
    dim = 0.35 + 0.65 * novel_mask(batch)[:, None]
    columns = [
        batch.rgb[:, 0],
        drawn.rgb[:, 0],
        batch.rgb[:, 1] * dim,
        drawn.rgb[:, 1] * dim,
        _painted(parts.depth[:, 0]),
        _painted(batch.depth[:, 0]),
    ]
    rows = torch.cat(columns, 3).permute(0, 2, 3, 1).flatten(0, 1)
    return (rows.clamp(0, 1) * 255).byte().cpu().numpy()


def _painted(depth: Tensor) -> Tensor:
    """[B, H, W] metres -> [B, 3, H, W], blue is near; black is unknown."""
    colors = turbo(depth.detach().cpu().numpy().astype(np.float32), FARTHEST_M)
    return torch.from_numpy(colors).permute(0, 3, 1, 2).to(depth) / 255

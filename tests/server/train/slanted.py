"""An instance made up without drawing: depth and brightness grow from left to right."""

from __future__ import annotations

import numpy as np

from sharp_xr.train.data.instances import Instance
from sharp_xr.train.samples import Sample

HEIGHT, WIDTH, FOCAL_PX = 216, 288, 230.4


def slanted(key: str, novel: int = 1, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Instance:
    """1 to 2 m, the second layer at 3 m; each novel view is 5 cm further to the right."""
    (h, w), count = size, 1 + novel
    depth = np.broadcast_to(np.linspace(1, 2, w, dtype=np.float32), (count, h, w)).copy()
    grey = np.broadcast_to(np.linspace(0, 255, w)[:, None], (count, h, w, 3)).astype(np.uint8)
    lens = FOCAL_PX * w / WIDTH
    pose = np.tile(np.eye(4), (count, 1, 1))
    pose[:, 0, 3] = -0.05 * np.arange(count)
    lenses = np.tile([lens, lens, w / 2, h / 2], (count, 1))
    behind = np.full((h, w), 3, np.float32)
    marks = np.zeros((count, h, w), np.uint8)
    marks[:, :5, :7] = 3
    return Instance(key, "slanted", Sample(grey, depth, lenses, pose, behind), marks, np.eye(4))

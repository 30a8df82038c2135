"""A scene that can be worked out: a striped wall, and a striped board before it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sharp_xr.train.samples import Sample

WALL_M, BOARD_M = 4.0, 2.0
LEAN_M = 0.15


class Planes:
    """``count`` scenes; colours, board and novel views differ, each the same every time."""

    def __init__(self, count: int = 4, size: int = 64, views: int = 2) -> None:
        self.count, self.size, self.views = count, size, views

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        rng = np.random.default_rng(index)
        board = rng.uniform(-0.4, 0.4, 2)
        paint = rng.uniform(0.2, 0.9, (2, 3))
        focal = 0.9 * self.size
        lens = [focal, focal, self.size / 2, self.size / 2]
        poses = np.repeat(np.eye(4)[None], 1 + self.views, 0)
        turn = rng.uniform(0, 2 * np.pi, self.views)
        poses[1:, :2, 3] = LEAN_M * np.stack([np.cos(turn), np.sin(turn)], 1)
        shots = [_seen(pose, lens, board, paint, self.size) for pose in poses]
        return Sample(
            rgb=np.stack([rgb for rgb, _ in shots]),
            depth=np.stack([depth for _, depth in shots]),
            lenses=np.array([lens] * len(poses)),
            camera_from_input=poses,
        )


def _seen(
    camera_from_input: NDArray[np.float64],
    lens: list[float],
    board: NDArray[np.float64],
    paint: NDArray[np.float64],
    size: int,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    y, x = np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5, indexing="ij")
    ray = np.stack([(x - lens[2]) / lens[0], (y - lens[3]) / lens[1]], -1)
    eye = -camera_from_input[:2, 3]
    on_board = np.abs(eye + BOARD_M * ray - board).max(-1) < 0.4
    depth = np.where(on_board, BOARD_M, WALL_M)
    place = eye + depth[..., None] * ray
    stripes = 0.7 + 0.3 * np.sin(12 * place[..., :1]) * np.sin(10 * place[..., 1:])
    color = paint[on_board.astype(int)] * stripes
    return (255 * color).astype(np.uint8), depth.astype(np.float32)

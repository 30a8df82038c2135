"""How depth gets better as a training goes on: curve.jsonl, judged on scenes held out."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from sharp_xr.model.lite_network import LiteNetwork, metric_depth, normalised
from sharp_xr.train.data.reading import opened
from sharp_xr.train.data.shards import Shard, shard_paths
from sharp_xr.train.journal import read_lines
from sharp_xr.train.photographs import FAR_M, plate, targets

FILE = "curve.jsonl"
PHOTOS = 32
"""Of the held-out ones at most so many, spread over all."""
WIDTH, HEIGHT = 384, 288


class Curve:
    """A line every time the training is saved; cut back to the checkpoint when it goes on."""

    def __init__(self, out: Path, data: Path, step: int) -> None:
        """Goes on behind ``step``; without held-out shards in ``data`` there are losses only.

        Raises:
            ShardError: one of the held-out shards is broken.
        """
        out.mkdir(parents=True, exist_ok=True)
        self._path = out / FILE
        kept = [line for line in read_lines(self._path) if line["step"] <= step]
        self._path.write_text("".join(json.dumps(line) + "\n" for line in kept))
        self._seconds = kept[-1]["seconds"] if kept else 0.0
        self._since = time.monotonic()
        self._held = held_out_photos(data)

    def add(self, step: int, losses: NDArray[np.float64], network: LiteNetwork) -> None:
        """The network's figures at that step; ``losses`` of the visible and the second layer."""
        now = time.monotonic()
        self._seconds, self._since = self._seconds + now - self._since, now
        line = {"step": step, "seconds": round(self._seconds, 1)}
        line |= {"visible": losses[0], "behind": losses[1]}
        if self._held:
            line |= figures(network, self._held)
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")


Held = tuple[torch.Tensor, torch.Tensor, float]
"""Picture [1, 3, H, W] normalised, true depth [H/2, W/2] metres, focal length in px."""


def held_out_photos(folder: Path, count: int = PHOTOS) -> list[Held]:
    """The middle 4 : 3 of held-out photos, as they were drawn: no camera's faults."""
    if not shard_paths(folder, held_out=True):
        return []
    photos = [(shard, key) for shard in opened(folder, held_out=True) for key in shard.keys]
    chosen = np.unique(np.linspace(0, len(photos) - 1, count).astype(int))
    return [_held(*photos[i]) for i in chosen]


def _held(shard: Shard, key: str) -> Held:
    view = plate(shard, key, 0)
    rows_there, side = view.depth.shape[1:]
    first = max(0, (rows_there - side * HEIGHT // WIDTH) // 2)
    rows = slice(first, rows_there - first)
    picture = Image.fromarray(view.rgb[rows]).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)
    depth = torch.from_numpy(view.depth[None, :, rows])
    depth = torch.nn.functional.interpolate(depth, (HEIGHT, WIDTH), mode="nearest-exact")
    focal_px = view.focal_px * WIDTH / side
    visible, _ = targets(depth, torch.tensor([focal_px]))
    true = metric_depth(visible.y, focal_px)[0] * visible.known[0]
    return normalised(torch.from_numpy(np.asarray(picture).copy())[None]), true, focal_px


@torch.no_grad()
def figures(network: LiteNetwork, held: list[Held]) -> dict[str, float]:
    """Means over photos, without the sky: absrel, mean of |z - true| / true; delta1, the share
    within a factor of 1.25; *scaled*, after depth is multiplied by the ratio of the medians."""
    rows: list[tuple[float, float, float]] = []
    for picture, true, focal_px in held:
        depth = metric_depth(network(picture)[0, 0], focal_px)
        near = (true > 0) & (true < FAR_M)
        if near.any():
            z, t = depth[near], true[near]
            scaled = z * (t.median() / z.median())
            ratio = torch.maximum(scaled / t, t / scaled)
            off = ((z - t).abs() / t).mean(), ((scaled - t).abs() / t).mean()
            rows.append((float(off[0]), float(off[1]), float((ratio < 1.25).float().mean())))
    means = np.mean(rows, 0).tolist()
    return dict(zip(("absrel_metric", "absrel_scaled", "delta1_scaled"), means, strict=True))

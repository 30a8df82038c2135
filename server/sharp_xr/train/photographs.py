"""From shards to batches: crops, mirrors, targets; what cameras do to pictures is in cameras.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from sharp_xr.model.lite_network import CANONICAL_FOCAL_PX, normalised
from sharp_xr.train.cameras import developed
from sharp_xr.train.data.shards import Shard, shard_paths
from sharp_xr.train.depth_losses import Target

Rng = np.random.Generator

Size = tuple[int, int]
"""Width and height, px."""
SMALL_SIZES: tuple[Size, ...] = (*[(192, 128)] * 2, *[(192, 160)] * 2, (128, 192), (160, 192))
"""For the beginning: twice as many pictures a second as of FIRST_SIZES, enough for what stands
where."""
FIRST_SIZES: tuple[Size, ...] = ((256, 192),)
"""What training goes on with."""
LAST_SIZES: tuple[Size, ...] = (
    *[(192, 128), (192, 160), (128, 192)],
    *[(256, 192)] * 4,
    *[(192, 256)] * 2,
    *[(320, 256)] * 2,
    (256, 320),
    *[(384, 288), (384, 256), (288, 384)],
)
"""What it ends with: upright pictures too, and all sizes that `model/lite_depth.py` shows the
network; how often each comes is its chance."""
SQUEEZE = 0.08
"""A crop's sides are made so much longer or shorter at most, as sides that are multiples of 32 do
to a photo: the logarithm of the factor is evenly spread."""
ENLARGED = 1.3
"""A crop is not enlarged by more, or it would be without the detail that a photo has."""
MOST_SKY, CROPS_TRIED = 0.6, 3
"""Of a crop with a larger share of sky, little can be learned: another one is tried, up to so many.
"""
INDOORS = ("room", "corridor")
"""Kinds of places in which things stand before walls, not before what is far behind them."""
PHOTO_SHARE = 0.5
"""At least so many crops are of photos rather than of views beside them."""
NEAR_M, FAR_M = 0.12, 79.0
"""Truth outside is clipped; from FAR_M on it is the sky, or as good as that."""


@dataclass(frozen=True)
class Batch:
    """B pictures for the network and what it should say."""

    x: Tensor
    """[B, 3, height, width], normalised."""
    visible: Target
    """At half of the size."""
    behind: Target


class Photographs:
    """All views in a folder's shards, new ones too as they appear; pictures stay on the disk."""

    def __init__(self, folder: Path, indoors: float | None = None):
        """Of the pictures, the share ``indoors`` is of rooms; None: as many as there are."""
        self.folder, self.indoors = folder, indoors
        self.views: list[tuple[Shard, str, int]] = []
        self.names: list[str] = []
        """The shards' files, in the order in which they were found: that of the views."""
        self._inside: list[int] = []
        self._elsewhere: list[int] = []

    def refresh(self, limit: int | None = None) -> int:
        """Finds shards that are new, the first `limit` at most; returns how many views there are.

        Raises:
            ShardError: one of them is broken.
        """
        for path in shard_paths(self.folder)[:limit]:
            if path.name not in self.names:
                self._take(path)
        return len(self.views)

    def recall(self, names: Sequence[str]) -> None:
        """Takes those shards first, in that order: what a training that goes on had found.

        Raises:
            ShardError: one of them is gone, or broken.
        """
        self.views, self.names = [], []
        self._inside, self._elsewhere = [], []
        for name in names:
            self._take(self.folder / name)
        self.refresh()

    def _take(self, path: Path) -> None:
        shard = Shard(path)
        self.names.append(path.name)
        for key in shard.keys:
            count = shard.views(key)
            kind = self._inside if shard.about(key)["kind"] in INDOORS else self._elsewhere
            kind += range(len(self.views), len(self.views) + count)
            self.views += [(shard, key, view) for view in range(count)]

    def choose(self, rng: Rng) -> tuple[Shard, str, int]:
        """One of the views."""
        if self.indoors is None or not self._inside or not self._elsewhere:
            return self.views[int(rng.integers(len(self.views)))]
        kind = self._inside if rng.random() < self.indoors else self._elsewhere
        return self.views[kind[int(rng.integers(len(kind)))]]

    def batch(self, rng: Rng, count: int, sizes: tuple[Size, ...] = FIRST_SIZES) -> Batch:
        """`count` random crops of random views, all of one of the sizes."""
        size = sizes[int(rng.integers(len(sizes)))]
        crops = [self._crop(rng, size) for _ in range(count)]
        rgb = torch.from_numpy(np.stack([c.rgb for c in crops]))
        depth = torch.from_numpy(np.stack([c.depth for c in crops]))  # [B, 2, h, w]
        focal = torch.tensor([c.focal_px for c in crops])
        visible, behind = targets(depth, focal)
        return Batch(normalised(rgb), visible, behind)

    def _crop(self, rng: Rng, size: Size) -> _Crop:
        """Of a photo, which knows its second layer, more often than of a view beside it."""
        shard, key, number = self.choose(rng)
        if rng.random() < PHOTO_SHARE:
            number = 0
        return random_crop(rng, plate(shard, key, number), size)


@dataclass(frozen=True)
class Plate:
    """One view as it was drawn."""

    rgb: NDArray[np.uint8]
    """[H, W, 3] sRGB."""
    depth: NDArray[np.float32]
    """[2, H, W] metres, visible and second layer; 0 is unknown."""
    focal_px: float


def plate(shard: Shard, key: str, view: int) -> Plate:
    """Read from its shard. Views other than the photo know nothing of their second layer.

    Where a surface reflects or is transparent, the picture shows something else than it: there the
    depth of the visible layer is let be unknown.
    """
    depth = np.where(shard.marks(key, view) > 0, np.float16(0), shard.depth(key, view))
    behind = shard.behind(key) if view == 0 else None
    layers = np.stack([depth, np.zeros_like(depth) if behind is None else behind])
    focal_px = float(shard.about(key)["views"][view]["lens"][0])
    return Plate(shard.rgb(key, view), layers.astype(np.float32), focal_px)


@dataclass(frozen=True)
class _Crop:
    rgb: NDArray[np.uint8]  # [h, w, 3]
    depth: NDArray[np.float32]  # [2, h, w] metres
    focal_px: float


def random_crop(rng: Rng, view: Plate, size: Size) -> _Crop:
    """0.55 to 1 of the view, near the middle more often than not, at times mirrored; large pictures
    are of larger crops.

    A crop off the middle has its principal point elsewhere than in its own middle; the network
    cannot know that, and photos are cropped like that too, so it is let be.
    """
    width, height = size
    for _ in range(CROPS_TRIED):
        y, x, ch, cw = _window(rng, view.depth.shape[1:], size)
        rows = y + ((np.arange(height) + 0.5) * ch / height).astype(int)[:, None]
        columns = x + ((np.arange(width) + 0.5) * cw / width).astype(int)
        depth = view.depth[:, rows, columns]
        if (depth[0] >= FAR_M).mean() <= MOST_SKY:
            break
    window = view.rgb[y : y + ch, x : x + cw]
    picture = Image.fromarray(window).resize((width, height), Image.Resampling.BILINEAR)
    rgb = developed(rng, np.asarray(picture), depth[0])
    if rng.random() < 0.5:
        rgb, depth = rgb[:, ::-1], depth[..., ::-1]
    focal_px = view.focal_px * width / cw
    return _Crop(np.ascontiguousarray(rgb), np.ascontiguousarray(depth), focal_px)


def _window(rng: Rng, shape: tuple[int, ...], size: Size) -> tuple[int, int, int, int]:
    """Of a crop: its first row and column, how many there are."""
    h, w = shape
    aspect = size[0] / size[1] * np.exp(rng.uniform(-SQUEEZE, SQUEEZE))
    whole = min(h, w / aspect)
    share = rng.uniform(min(1, max(0.55, size[1] / (ENLARGED * whole))), 1)
    ch = int(share * whole)
    cw = int(ch * aspect)
    return int(rng.beta(2, 2) * (h - ch)), int(rng.beta(2, 2) * (w - cw)), ch, cw


def targets(depth: Tensor, focal: Tensor) -> tuple[Target, Target]:
    """Depth of both layers [B, 2, H, W] in metres, focal [B] in px -> targets at half the size.

    Of each 2 x 2 pixels the nearest counts, as when a scene is drawn, and its own second layer.
    """
    visible, behind = depth[:, 0], depth[:, 1]
    _, index = functional.max_pool2d(-visible[:, None], 2, return_indices=True)
    visible, behind = (
        layer.flatten(1).gather(1, index.flatten(1)).view_as(index[:, 0])
        for layer in (visible, behind)
    )
    return _target(visible, focal), _target(behind, focal)


def _target(z: Tensor, focal: Tensor) -> Target:
    scale = (CANONICAL_FOCAL_PX / focal)[:, None, None]
    y = -(z.clamp(NEAR_M, FAR_M) * scale).log()
    return Target(y, (z > 0).float(), (z >= FAR_M).float())

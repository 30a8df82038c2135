"""`sharp-xr train data look`: contact sheets of shards, to be looked at before training on them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sharp_xr.train.data.instances import Instance
from sharp_xr.train.data.raycast import REFLECTIVE, TRANSPARENT
from sharp_xr.train.data.scene import FAR_M
from sharp_xr.train.data.settings import within
from sharp_xr.train.data.shards import Shard, ShardError, seeds_of

Picture = NDArray[np.uint8]
NEAR_M = 0.15
"""The nearest depth that has a colour of its own."""


@dataclass(frozen=True)
class Look:
    """Draws a contact sheet of shards: a row for each photo."""

    data: Path = Path("data/synth")
    """Folder with shards, or one shard."""
    out: Path = Path("sheet.png")
    """The sheet: photo, depth, second layer, marks, and novel views with their depth below."""
    rows: int = 12
    """Photos, spread over all there are."""
    novel: int = 4
    """Novel views of each."""
    size: int = 160
    """Width and height of a picture, px."""

    def run(self) -> None:
        """Writes the sheet.

        Raises:
            ShardError: nothing to look at.
            SettingError: a number that makes no sense.
        """
        within("--rows", self.rows, 1, 1000)
        within("--novel", self.novel, 0, 10)
        within("--size", self.size, 8, 4096)
        paths = [self.data] if self.data.is_file() else sorted(self.data.glob("synth-*.tar"))
        if not (paths := [p for p in paths if seeds_of(p) or p == self.data]):
            raise ShardError(f"there are no shards in {self.data}")
        photos = [(shard, key) for shard in map(Shard, paths) for key in shard.keys]
        chosen = np.linspace(0, len(photos) - 1, min(self.rows, len(photos))).astype(int)
        rows = [self._row(photos[i][0].instance(photos[i][1])) for i in chosen]
        Image.fromarray(np.concatenate(rows)).save(self.out)
        print(f"{self.out}: {len(rows)} of {len(photos)} photos in {len(paths)} shards")

    def _row(self, instance: Instance) -> Picture:
        sample = instance.sample
        behind = np.zeros_like(sample.depth[0]) if sample.behind is None else sample.behind
        views = [sample.rgb[0], colored(sample.depth[0]), colored(behind)]
        views.append(_marked(sample.rgb[0], instance.marks[0]))
        blank = np.zeros_like(sample.rgb[0])
        for k in range(1, self.novel + 1):
            pair = [sample.rgb[k], colored(sample.depth[k])] if k < len(sample) else [blank] * 2
            views += pair
        return np.concatenate([self._small(view) for view in views], 1)

    def _small(self, view: Picture) -> Picture:
        return np.asarray(Image.fromarray(view).resize((self.size, self.size)))


def colored(depth: NDArray[np.float32]) -> Picture:
    """[H, W] metres -> [H, W, 3], evenly in the logarithm: red is near, blue far; unknown black."""
    share = np.log(np.maximum(depth, NEAR_M) / NEAR_M) / np.log(FAR_M / NEAR_M)
    share = np.clip(share, 0, 1)[..., None]
    middle = np.array([1.5, 2.5, 3.5]) - 4 * (1 - share)  # of a ramp over the rainbow
    color = np.clip(1.5 - np.abs(middle[..., ::-1] - 0.5), 0, 1) * (depth > 0)[..., None]
    return np.asarray(color * 255, np.uint8)


def _marked(rgb: Picture, marks: Picture) -> Picture:
    """The photo in grey, what reflects in red, what is transparent in blue."""
    grey = np.repeat(rgb.mean(-1, keepdims=True) * 0.6, 3, -1)
    grey[..., 0] += ((marks & REFLECTIVE) > 0) * 100
    grey[..., 2] += ((marks & TRANSPARENT) > 0) * 100
    return grey.astype(np.uint8)

"""Writes the shards that `lite` is trained on: rooms, tables and outdoor scenes, one a seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sharp_xr.train.data import shards
from sharp_xr.train.data.furniture import Library
from sharp_xr.train.data.outdoors import outdoors
from sharp_xr.train.data.rooms import Place, room, tabletop
from sharp_xr.train.data.shards import Shard
from sharp_xr.train.data.views import exposed, random_view


@dataclass(frozen=True)
class LiteData:
    """Draws synthetic scenes with depth; shards that exist are kept, so it goes on where it was."""

    assets: Path
    """Folder with the .sh3f files of Debian's sweethome3d-furniture."""
    out: Path = Path("data/lite")
    """Folder for the shards; the same seed always draws the same scene."""
    first_seed: int = 0
    """Seeds from 100000 on are held out from training."""
    count: int = 300
    """Scenes."""
    views: int = 12
    """Views of a scene, at most."""

    def run(self) -> None:
        """Draws them all, printing a line for each."""
        self.out.mkdir(parents=True, exist_ok=True)
        library = Library(self.assets, self.out / "models")
        for seed in range(self.first_seed, self.first_seed + self.count):
            path = shards.shard_path(self.out, seed)
            if not path.exists():
                shard = draw(seed, library, self.views)
                shards.save(path, shard)
                print(path, len(shard), "views", flush=True)


def draw(seed: int, library: Library, views: int) -> Shard:
    """The views of that seed's scene; where no view is worth having, another place is made."""
    rng = np.random.default_rng(seed)
    while True:
        place = random_place(rng, library)
        found = [v for v in (random_view(rng, place) for _ in range(views)) if v]
        if found:
            break
    cameras, shots = zip(*found, strict=True)
    return Shard(
        np.stack([exposed(rng, shot.linear) for shot in shots]),
        np.stack([shot.depth for shot in shots]).astype(np.float16),
        np.stack([shot.behind for shot in shots]).astype(np.float16),
        np.array([camera.focal_px for camera in cameras], np.float32),
    )


def random_place(rng: np.random.Generator, library: Library) -> Place:
    """A room (45 %), a table (17 %) or outdoors (38 %)."""
    kind = rng.random()
    if kind < 0.45:
        return room(rng, library)
    if kind < 0.62:
        return tabletop(rng, library)
    return outdoors(rng, library)

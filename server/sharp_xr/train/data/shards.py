"""Training shards: one scene's views in one .npz, written whole or not at all.

rgb     [V, H, W, 3] uint8 sRGB
depth   [V, H, W] float16 metres along the optical axis, FAR_M is sky
behind  [V, H, W] float16 metres, the second layer; 0 where it is unknown
focal   [V] float32 px; the principal point is the middle of the picture
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HELD_OUT = 100_000
"""Shards of this seed and above are never trained on."""


@dataclass(frozen=True)
class Shard:
    """See the module."""

    rgb: NDArray[np.uint8]
    depth: NDArray[np.float16]
    behind: NDArray[np.float16]
    focal: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.rgb)


def shard_path(folder: Path, seed: int) -> Path:
    """Where the scene of that seed is kept."""
    return folder / f"{seed:06d}.npz"


def save(path: Path, shard: Shard) -> None:
    """Written beside and renamed, so that a reader never meets half a shard."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(file, rgb=shard.rgb, depth=shard.depth, behind=shard.behind, focal=shard.focal)
    part.replace(path)


def load(path: Path) -> Shard:
    """Raises what numpy raises for a file that is no shard."""
    with np.load(path) as z:
        return Shard(z["rgb"], z["depth"], z["behind"], z["focal"])


def training_paths(folder: Path) -> list[Path]:
    """Shards to train on, in the order of their seeds."""
    paths = (p for p in folder.glob("*.npz") if p.stem.isdigit())
    return sorted(p for p in paths if int(p.stem) < HELD_OUT)

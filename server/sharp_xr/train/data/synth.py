"""`sharp-xr train data synth`: draws scenes into shards, and goes on where it was stopped."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sharp_xr.train.data.furniture import Library
from sharp_xr.train.data.instances import Drawing, Instance, draw
from sharp_xr.train.data.settings import within
from sharp_xr.train.data.shards import seeds_of, shard_path, write_shard


@dataclass(frozen=True)
class Synth:
    """Draws scenes with depth into tar shards; scenes that are there already are kept."""

    assets: Path
    """Folder with the .sh3f files of Debian's sweethome3d-furniture."""
    out: Path = Path("data/synth")
    """Folder for the shards; the same seed always draws the same scene."""
    first_seed: int = 0
    """Seeds from 100000 on are held out from training."""
    count: int = 300
    """Scenes."""
    instances: int = Drawing.instances
    """Photos of each scene."""
    novel: int = Drawing.novel
    """Novel views of each photo, at most, within 60 cm of it; 0 to 10."""
    size: int = Drawing.size_px
    """Width and height of the pictures, px."""
    shard: int = 4
    """Scenes of a shard: as much is lost, at most, if it is stopped."""

    def run(self) -> None:
        """Draws them all, printing a line for each shard.

        Raises:
            AssetError: there is no furniture.
            SettingError: a number that makes no sense.
        """
        drawing = self._checked()
        self.out.mkdir(parents=True, exist_ok=True)
        library = Library(self.assets, self.out / "models")
        for seeds in self.missing():
            started, drawn = time.process_time(), 0

            def scenes(seeds: range = seeds) -> Iterator[Instance]:
                nonlocal drawn
                for seed in seeds:
                    for instance in draw(seed, library, drawing):
                        drawn += len(instance.sample)
                        yield instance

            path = shard_path(self.out, seeds[0], seeds[-1])
            write_shard(path, scenes())
            seconds = (time.process_time() - started) / drawn
            print(f"{path}: {drawn} views, {seconds:.3f} CPU s each", flush=True)

    def missing(self) -> list[range]:
        """Runs of seeds, a shard each, that no shard of the folder has yet."""
        there = {seed for path in self.out.glob("synth-*.tar") for seed in seeds_of(path)}
        runs: list[range] = []
        for seed in range(self.first_seed, self.first_seed + self.count):
            if seed in there:
                continue
            if runs and runs[-1].stop == seed and seed % self.shard:
                runs[-1] = range(runs[-1].start, seed + 1)
            else:
                runs.append(range(seed, seed + 1))
        return runs

    def _checked(self) -> Drawing:
        within("--first-seed", self.first_seed, 0, 10**9)
        within("--count", self.count, 1, 10**9)
        within("--instances", self.instances, 1, 100)
        within("--novel", self.novel, 0, 10)
        within("--size", self.size, 32, 4096)
        within("--shard", self.shard, 1, 1000)
        return Drawing(self.instances, self.novel, self.size)

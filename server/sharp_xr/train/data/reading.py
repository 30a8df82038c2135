"""Readers of a folder's shards: by index, for trainings that resume exactly; or as a stream."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sharp_xr.train.data.shards import Shard, ShardError, shard_paths
from sharp_xr.train.samples import Sample


class ShardSamples:
    """The shards of a folder as samples by index: each photo with each one of its novel views.

    Shards that appear later are found by another object only, so an index keeps its meaning.
    """

    def __init__(self, folder: Path, held_out: bool = False, limit: int | None = None) -> None:
        """Of the first `limit` shards, or of all.

        Raises:
            ShardError: there is none, one is broken, or none has novel views.
        """
        self._folder = folder
        self._take(opened(folder, held_out)[:limit])

    def recall(self, names: Sequence[str]) -> None:
        """Takes the shards of these names alone, in that order: what a run began with.

        Raises:
            ShardError: one of them is gone, or broken.
        """
        self._take([Shard(self._folder / name) for name in names])

    def _take(self, shards: list[Shard]) -> None:
        self.names = [shard.path.name for shard in shards]
        self._photos = [(shard, key) for shard in shards for key in shard.keys]
        novel = [shard.views(key) - 1 for shard, key in self._photos]
        self._ends = np.cumsum(novel).tolist()
        if not sum(novel):
            raise ShardError(
                f"the photos in {self._folder} have no novel views; draw them with "
                "`train data synth --novel 1` or more"
            )

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int, /) -> Sample:
        """A sample of two views; the same for the same index."""
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} was asked for, there are {len(self)}")
        photo = bisect_right(self._ends, index)
        shard, key = self._photos[photo]
        first = self._ends[photo - 1] if photo else 0
        return _to_train_on(shard, key, [1 + index - first])


def opened(folder: Path, held_out: bool = False) -> list[Shard]:
    """All shards to train on, or all held out.

    Raises:
        ShardError: there is none, or one is broken.
    """
    paths = shard_paths(folder, held_out)
    if not paths:
        kind = "held-out shards (seeds from 100000 on)" if held_out else "shards"
        raise ShardError(f"there are no {kind} in {folder}: write some with `train data synth`")
    return [Shard(path) for path in paths]


@dataclass(frozen=True)
class ShardStream:
    """Samples in an order that is shuffled anew each epoch, for one of several workers.

    The shards are dealt out to the workers; within a worker, samples leave a buffer at random.
    """

    folder: Path
    worker: int = 0
    """Which of the workers this is, from 0."""
    workers: int = 1
    """How many there are; each has its own shards."""
    seed: int = 0
    buffer: int = 64
    """Photos to choose from, by name only: pictures are read when they leave it."""
    held_out: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.worker < self.workers:
            raise ValueError(f"worker {self.worker} of {self.workers}: they count from 0")
        if self.buffer < 1:
            raise ValueError(f"a buffer of {self.buffer} photos, wanted 1 or more")

    def epoch(self, number: int, skip: int = 0) -> Iterator[Sample]:
        """Each photo of this worker's shards once, with one of its novel views where it has any.

        Args:
            number: of the epoch; it decides the order, with the seed.
            skip: so many at the start are passed over, unread: where a training was cut off.
        """
        order = np.random.default_rng((self.seed, number))
        paths = shard_paths(self.folder, self.held_out)
        mine = [paths[i] for i in order.permutation(len(paths))][self.worker :: self.workers]
        rng = np.random.default_rng((self.seed, number, self.worker))
        for i, (shard, key) in enumerate(_shuffled(_photos(mine), rng, self.buffer)):
            novel = shard.views(key) - 1
            views = [1 + int(rng.integers(novel))] if novel else []
            if i >= skip:
                yield _to_train_on(shard, key, views)


def _to_train_on(shard: Shard, key: str, views: list[int]) -> Sample:
    """The photo's depth is let be unknown where its surface reflects or is transparent: what the
    picture shows there is not as far away as the surface. Novel views keep theirs, which says what
    of them the photo sees."""
    sample = shard.sample(key, views)
    sample.depth[0][shard.marks(key, 0) > 0] = 0
    return sample


Photo = tuple[Shard, str]


def _photos(paths: list[Path]) -> Iterator[Photo]:
    for path in paths:
        shard = Shard(path)
        yield from ((shard, key) for key in shard.keys)


def _shuffled(photos: Iterator[Photo], rng: np.random.Generator, buffer: int) -> Iterator[Photo]:
    """Each takes the place of a random one of those that wait; at the end the rest."""
    waiting: list[Photo] = []
    for photo in photos:
        if len(waiting) < buffer:
            waiting.append(photo)
            continue
        i = int(rng.integers(buffer))
        waiting[i], photo = photo, waiting[i]
        yield photo
    yield from (waiting[i] for i in rng.permutation(len(waiting)))

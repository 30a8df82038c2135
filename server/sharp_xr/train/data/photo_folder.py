"""A folder of photos as samples without novel views, for stage 2."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sharp_xr.photo import Photo, PhotoError, read_photo
from sharp_xr.train.data.shards import ShardError
from sharp_xr.train.samples import Sample

log = logging.getLogger(__name__)

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".avif"}


class PhotoFolder:
    """All photos under a folder, in order of their paths; read when they are asked for.

    The focal length is the photo's own (EXIF), or what ``photo.py`` takes for one without. A file
    that cannot be read does not end a training: the next one stands for it, each time.
    """

    def __init__(self, folder: Path) -> None:
        """Raises ShardError: there is no photo."""
        self._folder = folder
        found = folder.rglob("*") if folder.is_dir() else ()
        paths = sorted(path for path in found if path.suffix.lower() in ENDINGS)
        if not paths:
            raise ShardError(f"there are no photos in {folder} ({', '.join(sorted(ENDINGS))})")
        self.names = [str(path.relative_to(folder)) for path in paths]
        self._unreadable: dict[str, str] = {}

    def recall(self, names: Sequence[str]) -> None:
        """Takes those files alone, in that order: what a run began with.

        Raises:
            ShardError: one of them is gone.
        """
        for name in names:
            if not (self._folder / name).is_file():
                raise ShardError(f"{self._folder / name} is gone, and this training began with it")
        self.names = list(names)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int, /) -> Sample:
        """One view, its depth unknown.

        Raises:
            IndexError: there are not so many.
            ShardError: no file at all is a photo; the sentence names the first that was tried.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"photo {index} was asked for, there are {len(self)}")
        for place in range(index, index + len(self)):
            name = self.names[place % len(self)]
            try:
                return _sample(read_photo((self._folder / name).read_bytes()))
            except (PhotoError, OSError) as error:
                if name not in self._unreadable:
                    log.warning("%s: %s; the next photo stands for it", name, error)
                self._unreadable[name] = str(error)
        name = self.names[index]
        raise ShardError(f"{self._folder / name}: {self._unreadable[name]}")


def _sample(photo: Photo) -> Sample:
    height, width = photo.image.shape[:2]
    lens = [photo.focal_px, photo.focal_px, width / 2, height / 2]
    return Sample(
        rgb=photo.image[None],
        depth=np.zeros((1, height, width), np.float32),
        lenses=np.array([lens]),
        camera_from_input=np.eye(4)[None],
    )

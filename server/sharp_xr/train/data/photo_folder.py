"""A folder of photos as samples without novel views, for stage 2."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sharp_xr.photo import PhotoError, read_photo
from sharp_xr.train.data.shards import ShardError
from sharp_xr.train.samples import Sample

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".avif"}


class PhotoFolder:
    """All photos under a folder, in order of their paths; read when they are asked for.

    The focal length is the photo's own (EXIF), or what ``photo.py`` takes for one without.
    """

    def __init__(self, folder: Path) -> None:
        """Raises ShardError: there is no photo."""
        found = folder.rglob("*") if folder.is_dir() else ()
        self.paths = sorted(path for path in found if path.suffix.lower() in ENDINGS)
        if not self.paths:
            raise ShardError(f"there are no photos in {folder} ({', '.join(sorted(ENDINGS))})")

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int, /) -> Sample:
        """One view, its depth unknown.

        Raises:
            ShardError: the file is no photo; the sentence names it.
        """
        path = self.paths[index]
        try:
            photo = read_photo(path.read_bytes())
        except (PhotoError, OSError) as error:
            raise ShardError(f"{path}: {error}") from error
        height, width = photo.image.shape[:2]
        lens = [photo.focal_px, photo.focal_px, width / 2, height / 2]
        return Sample(
            rgb=photo.image[None],
            depth=np.zeros((1, height, width), np.float32),
            lenses=np.array([lens]),
            camera_from_input=np.eye(4)[None],
        )

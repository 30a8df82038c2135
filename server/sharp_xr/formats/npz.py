"""NPZ: plain numpy arrays, for people who go on in Python.

    scene = numpy.load("scene.npz")
    scene["means"]          [N, 3] metres, OpenCV axes (x right, y down, z forward)
    scene["covariances"]    [N, 3, 3] square metres
    scene["quats"]          [N, 4] unit quaternions (w, x, y, z)
    scene["scales"]         [N, 3] metres, standard deviations along the rotated axes, falling
    scene["colors"]         [N, 3] linear RGB
    scene["opacities"]      [N] 0 to 1
    scene["intrinsics"]     [3, 3] of the photo, pixels
    scene["image_size"]     [2] width and height of the photo, pixels

All are float32, image_size is uint32.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np

from sharp_xr.formats.ply import UNKNOWN_PHOTO, PhotoCamera
from sharp_xr.gaussians import Gaussians, decompose

_FULL_FROM_UPPER = [[0, 1, 2], [1, 3, 4], [2, 4, 5]]
"""Which of the six stored numbers stands at each place of the 3 x 3 matrix."""


def write_npz(
    target: Path | BinaryIO, gaussians: Gaussians, photo: PhotoCamera = UNKNOWN_PHOTO
) -> None:
    """Writes the arrays above, uncompressed: floats of a scene hardly shrink, but take seconds."""
    quats, scales = decompose(gaussians.covariances)
    focal = photo.focal_px
    intrinsics = [[focal, 0, photo.width / 2], [0, focal, photo.height / 2], [0, 0, 1]]
    np.savez(
        target,
        means=gaussians.means,
        covariances=gaussians.covariances[:, _FULL_FROM_UPPER],
        quats=quats,
        scales=scales,
        colors=gaussians.colors,
        opacities=gaussians.opacities,
        intrinsics=np.array(intrinsics, np.float32),
        image_size=np.array([photo.width, photo.height], np.uint32),
    )

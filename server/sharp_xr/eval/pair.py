"""Calibrated stereo pairs: what a predictor is asked (the left photo) and the answer (the right).

Both photos are of one camera model, rectified: a point at depth Z is at column x in the left and at

    x - disparity,  disparity = focal_px * baseline_m / Z - doffs_px

in the right one, in the same row. doffs is the distance of the two principal points (Middlebury's
word); where it is not 0, even what is infinitely far moves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sharp_xr.gaussians import Float32
from sharp_xr.photo import Photo, PhotoError, read_photo

Picture = NDArray[np.uint8]
"""[H, W, 3] sRGB."""


WIDEST_M = 10.0
"""Baselines are in metres; a larger number was meant as millimetres."""


class PairError(Exception):
    """These are no pair that can be scored; the message is one sentence for the user."""


@dataclass(frozen=True)
class Calibration:
    """Of a rectified pair, at the size of its photos."""

    focal_px: float
    baseline_m: float
    """The right camera is so far to the right of the left one."""
    doffs_px: float = 0.0
    """Principal point of the right photo minus that of the left, columns."""
    cx: float | None = None
    """The left photo's principal point. It moves no point of a rectified pair against another, and
    predictors assume the middle, so that a score does not depend on it."""
    cy: float | None = None

    def disparity(self, depth: Float32) -> Float32:
        """Metres -> pixels, any shape."""
        with np.errstate(divide="ignore"):
            shift = np.float32(self.focal_px * self.baseline_m) / depth
        return shift - np.float32(self.doffs_px)

    def depth(self, disparity: Float32) -> Float32:
        """Pixels -> metres, any shape; NaN stays, what is at or behind infinity is infinite."""
        parallax = disparity + np.float32(self.doffs_px)
        with np.errstate(divide="ignore"):
            depth = np.float32(self.focal_px * self.baseline_m) / parallax
        return np.where(parallax <= 0, np.float32(np.inf), depth)


@dataclass(frozen=True)
class StereoPair:
    """Two photos of one size and how they were taken."""

    name: str
    left: Picture
    right: Picture
    calibration: Calibration
    true_disparity: Float32 | None = None
    """[H, W] pixels of the left photo, NaN where unknown; None: found by matching."""

    def __post_init__(self) -> None:
        """Raises PairError: what cannot be, said by name."""
        height, width = self.left.shape[:2]
        if self.right.shape != self.left.shape:
            other = f"{self.right.shape[1]} x {self.right.shape[0]}"
            raise PairError(
                f"{self.name}: the left photo has {width} x {height} pixels, the right one {other}"
            )
        _check(self.name, self.calibration, width, height)
        disparity = self.true_disparity
        if disparity is not None and disparity.shape != (height, width):
            shape = f"{disparity.shape[1]} x {disparity.shape[0]}"
            raise PairError(
                f"{self.name}: the photos have {width} x {height} pixels, the disparities {shape}"
            )

    @property
    def photo(self) -> Photo:
        """The left one, as a predictor takes it."""
        return Photo(self.left, self.calibration.focal_px)


def _check(name: str, calibration: Calibration, width: int, height: int) -> None:
    focal, baseline, doffs = (
        calibration.focal_px,
        calibration.baseline_m,
        calibration.doffs_px,
    )
    if not (0 < focal < math.inf):
        raise PairError(f"{name}: a focal length of {focal:g} px was given, wanted a positive one")
    if not 0 < baseline < WIDEST_M:
        raise PairError(
            f"{name}: a baseline of {baseline:g} m was given, wanted metres, up to {WIDEST_M:g}"
        )
    if not abs(doffs) < width:
        raise PairError(f"{name}: doffs of {doffs:g} px do not fit a photo {width} px wide")
    for axis, value, side in (("cx", calibration.cx, width), ("cy", calibration.cy, height)):
        if value is not None and not 0 <= value <= side:
            raise PairError(f"{name}: {axis} is {value:g}, wanted 0 to {side}, inside the photo")


def read_pair(left: Path, right: Path, calibration: Calibration) -> StereoPair:
    """Photos from files, upright as stored.

    Raises:
        PairError: a file that is no photo, or photos and numbers that do not belong together.
    """
    return StereoPair(left.stem, read_picture(left), read_picture(right), calibration)


def read_picture(path: Path) -> Picture:
    """[H, W, 3] sRGB of a photo's file. Raises PairError: there is none, or it is no photo."""
    try:
        return read_photo(path.read_bytes(), focal_px=1.0).image
    except PhotoError as error:
        raise PairError(f"{path}: {error}") from error
    except OSError as error:
        raise PairError(f"{path}: {error.strerror or error}") from error

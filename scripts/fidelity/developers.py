"""The stereo pairs that developers look at: one in colour, six grey ones of one home.

The package of the grey ones has more. They are for judging what is finished: nobody who works on a
predictor looks at them or measures on them, and nothing here reads them.
"""

from __future__ import annotations

import io
import zipfile
from importlib.resources import files

import numpy as np
from PIL import Image
from scripts.fidelity.packages import STEREODEMO

from sharp_xr.eval.pair import Calibration, Picture, StereoPair

ROOMS = ("bedroom_chair", "corridor", "desk", "living_room", "selfie", "toy")
OAK_D = Calibration(focal_px=451.03, baseline_m=0.075, cx=299.04, cy=255.17)
"""Of an OAK-D's grey cameras, 640 x 480: stereodemo_calibration.json of the package."""
MOTORCYCLE = Calibration(
    focal_px=994.978, baseline_m=0.193001, doffs_px=31.086, cx=311.193, cy=254.877
)
"""Middlebury 2014 at a quarter of its size, as in scikit-image: skimage.data.stereo_motorcycle."""


def pairs() -> list[StereoPair]:
    """All seven. Raises PackageError: stereodemo cannot be fetched."""
    with zipfile.ZipFile(STEREODEMO.wheel()) as archive:
        return [motorcycle(), *(_room(archive, name) for name in ROOMS)]


def motorcycle() -> StereoPair:
    """With its true disparities; it lies in the package scikit-image."""
    folder = files("skimage") / "data"
    left, right = (
        _picture((folder / f"motorcycle_{s}.png").read_bytes()) for s in ("left", "right")
    )
    with np.load(io.BytesIO((folder / "motorcycle_disp.npz").read_bytes())) as file:
        disparity = file["arr_0"].astype(np.float32)
    known = np.where(np.isfinite(disparity), disparity, np.float32(np.nan))
    return StereoPair("motorcycle", left, right, MOTORCYCLE, known)


def _room(archive: zipfile.ZipFile, name: str) -> StereoPair:
    left, right = (
        _picture(archive.read(f"stereodemo/datasets/oak-d/{name}_{side}.png"))
        for side in ("left", "right")
    )
    return StereoPair(name, left, right, OAK_D)


def _picture(data: bytes) -> Picture:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

"""Sets of stereo pairs as their authors publish them; the user has downloaded them.

    FOLDER/SCENE/{calib.txt, im0.png, im1.png, disp0.pfm}      Middlebury 2014 (Scharstein et al.)
    FOLDER/SCENE/{calib.txt, im0.png, im1.png, disp0GT.pfm}    ETH3D two-view (Schoeps et al. 2017)

calib.txt: cam0=[f 0 cx; 0 f cy; 0 0 1], doffs in pixels, baseline in millimetres.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sharp_xr.eval.pair import Calibration, PairError, StereoPair, read_picture
from sharp_xr.eval.pfm import read_pfm
from sharp_xr.gaussians import Float32

DISPARITIES = ("disp0.pfm", "disp0GT.pfm")
LINE = re.compile(r"^\s*(\w+)\s*=\s*(.*?)\s*$")


def scenes(folder: Path) -> list[Path]:
    """The scenes of a set, or the folder itself if it is one; by name.

    Raises:
        PairError: there are none.
    """
    if (folder / "calib.txt").is_file():
        return [folder]
    found = sorted(file.parent for file in folder.glob("*/calib.txt"))
    if not found:
        raise PairError(f"{folder} has no scenes, wanted folders with calib.txt, im0.png, im1.png")
    return found


def read_scenes(folder: Path) -> Iterator[StereoPair]:
    """One after the other: full-size scenes are large. Raises PairError, also in between."""
    for scene in scenes(folder):
        yield read_scene(scene)


def read_scene(folder: Path) -> StereoPair:
    """One scene; its disparities if they are there.

    Raises:
        PairError: a file that is missing or broken.
    """
    calibration = read_calibration(folder / "calib.txt")
    photos = [read_picture(folder / name) for name in ("im0.png", "im1.png")]
    files = [folder / name for name in DISPARITIES if (folder / name).is_file()]
    disparity = _disparity(files[0]) if files else None
    return StereoPair(folder.name, photos[0], photos[1], calibration, disparity)


def read_calibration(path: Path) -> Calibration:
    """Raises PairError: a file that is missing, or without one of the numbers."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise PairError(f"{path}: {error.strerror or error}") from error
    entries = {m[1]: m[2] for m in map(LINE.match, text.splitlines()) if m}
    try:
        camera = [float(word) for word in re.split(r"[\s;]+", entries["cam0"].strip("[] "))]
        focal, _, cx, _, _, cy = camera[:6]
        baseline_mm, doffs = float(entries["baseline"]), float(entries["doffs"])
    except KeyError as error:
        raise PairError(f"{path} has no line {error.args[0]}=") from error
    except ValueError as error:
        raise PairError(f"{path}: {error}, wanted cam0=[f 0 cx; 0 f cy; 0 0 1]") from error
    return Calibration(focal, baseline_mm / 1000, doffs, cx, cy)


def _disparity(path: Path) -> Float32:
    try:
        disparity = read_pfm(path.read_bytes())
    except (OSError, ValueError) as error:
        raise PairError(f"{path}: {error}") from error
    if disparity.ndim != 2:
        raise PairError(f"{path} has colours, wanted disparities")
    return np.where(np.isfinite(disparity), disparity, np.float32(np.nan))

"""Pairs: what a disparity means, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.server.eval.synthetic import CALIBRATION, board_pair

from sharp_xr.eval.pair import Calibration, PairError, StereoPair, read_pair


def test_depth_and_disparity_are_each_other_also_with_principal_points_apart() -> None:
    calibration = Calibration(focal_px=994.978, baseline_m=0.193001, doffs_px=31.086)
    # Scharstein et al.: Z = f B / (d + doffs)
    depth = calibration.depth(np.array([30.0, -31.086, -40.0, np.nan], np.float32))
    assert depth[0] == pytest.approx(994.978 * 0.193001 / 61.086)
    assert np.isinf(depth[1:3]).all() and np.isnan(depth[3])
    assert calibration.disparity(depth[:2]) == pytest.approx([30.0, -31.086], abs=1e-4)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"focal_px": 0.0}, "board: a focal length of 0 px was given, wanted a positive one"),
        ({"focal_px": float("nan")}, "board: a focal length of nan px was given"),
        ({"baseline_m": -0.1}, "board: a baseline of -0.1 m was given, wanted metres"),
        ({"baseline_m": 75.0}, "board: a baseline of 75 m was given, wanted metres, up to 10"),
        ({"doffs_px": 500.0}, "board: doffs of 500 px do not fit a photo 160 px wide"),
        ({"cx": 161.0}, "board: cx is 161, wanted 0 to 160, inside the photo"),
        ({"cy": -1.0}, "board: cy is -1, wanted 0 to 96, inside the photo"),
    ],
)
def test_a_camera_that_cannot_be_is_refused(wrong: dict[str, float], sentence: str) -> None:
    with pytest.raises(PairError, match=sentence):
        replace(board_pair(), calibration=replace(CALIBRATION, **wrong))


def test_photos_of_two_sizes_are_no_pair() -> None:
    pair = board_pair()
    with pytest.raises(
        PairError, match="the left photo has 160 x 96 pixels, the right one 150 x 96"
    ):
        replace(pair, right=pair.right[:, :150])
    with pytest.raises(PairError, match="pixels, the disparities 160 x 95"):
        replace(pair, true_disparity=np.zeros((95, 160), np.float32))


def test_files_that_are_no_photos_are_named(tmp_path: Path) -> None:
    photo = tmp_path / "left.png"
    Image.fromarray(board_pair().left).save(photo)
    (tmp_path / "notes.png").write_text("no photo")
    with pytest.raises(PairError, match=r"notes.png: this file is text"):
        read_pair(photo, tmp_path / "notes.png", CALIBRATION)
    with pytest.raises(PairError, match=r"gone.png: No such file"):
        read_pair(tmp_path / "gone.png", photo, CALIBRATION)
    assert isinstance(read_pair(photo, photo, CALIBRATION), StereoPair)

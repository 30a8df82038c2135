"""Scenes in Middlebury's form, whole and broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.server.eval.synthetic import BOARD, BOARD_PX, board_pair

from sharp_xr.eval.datasets import read_scene, read_scenes, scenes
from sharp_xr.eval.pair import PairError
from sharp_xr.eval.pfm import read_pfm

CALIB = """cam0=[120 0 80; 0 120 48; 0 0 1]
cam1=[120 0 82.5; 0 120 48; 0 0 1]
doffs=2.5
baseline=193.001
width=160
height=96
"""


def pfm(values: np.ndarray, order: str = "<") -> bytes:
    """As the set's authors write them: from the last row on."""
    scale = -1.0 if order == "<" else 1.0
    head = f"Pf\n{values.shape[1]} {values.shape[0]}\n{scale}\n".encode()
    return head + values[::-1].astype(f"{order}f4").tobytes()


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    pair = board_pair()
    folder = tmp_path / "set" / "Board-perfect"
    folder.mkdir(parents=True)
    (folder / "calib.txt").write_text(CALIB)
    Image.fromarray(pair.left).save(folder / "im0.png")
    Image.fromarray(pair.right).save(folder / "im1.png")
    assert pair.true_disparity is not None
    disparity = pair.true_disparity.copy()
    disparity[0, 0] = np.inf  # Middlebury's "unknown"
    (folder / "disp0.pfm").write_bytes(pfm(disparity))
    return folder


def test_a_scene_is_read_in_metres_and_upright(scene: Path) -> None:
    (pair,) = read_scenes(scene.parent)
    assert pair.name == "Board-perfect"
    assert pair.calibration.baseline_m == pytest.approx(0.193001)
    assert (pair.calibration.focal_px, pair.calibration.doffs_px) == (120, 2.5)
    assert (pair.calibration.cx, pair.calibration.cy) == (80, 48)
    assert pair.true_disparity is not None
    assert (pair.true_disparity[BOARD] == BOARD_PX).all()
    assert np.isnan(pair.true_disparity[0, 0])
    assert scenes(scene) == [scene]


def test_disparities_may_be_missing(scene: Path) -> None:
    (scene / "disp0.pfm").unlink()
    assert read_scene(scene).true_disparity is None


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("calib.txt", CALIB.replace("doffs", "d0ffs").encode(), "has no line doffs="),
        (
            "calib.txt",
            CALIB.replace("[120 0", "[one 0").encode(),
            "could not convert .* wanted cam0=",
        ),
        ("calib.txt", b"cam0=[1 2]\nbaseline=1\ndoffs=0\n", "wanted cam0="),
        ("im1.png", b"", "im1.png: this file is empty"),
        ("disp0.pfm", b"P5\n3 3\n255\n", "disp0.pfm: it does not begin as a PFM does"),
        ("disp0.pfm", b"Pf\n160 96\n-1.0\nabc", "disp0.pfm: it has 3 bytes for 160 x 96 pixels"),
        ("disp0.pfm", b"Pf\n2 2\n1..2\n" + bytes(16), "its scale is '1..2', wanted a number"),
        ("disp0.pfm", b"PF\n2 2\n-1\n" + bytes(48), "has colours, wanted disparities"),
        (
            "disp0.pfm",
            pfm(np.zeros((4, 4))),
            "the photos have 160 x 96 pixels, the disparities 4 x 4",
        ),
    ],
)
def test_a_broken_scene_is_one_sentence(
    scene: Path, file: str, content: bytes, sentence: str
) -> None:
    (scene / file).write_bytes(content)
    with pytest.raises(PairError, match=sentence):
        read_scene(scene)


def test_a_folder_without_scenes_is_named(tmp_path: Path) -> None:
    with pytest.raises(PairError, match="has no scenes, wanted folders with calib.txt"):
        list(read_scenes(tmp_path))


@pytest.mark.parametrize("order", ["<", ">"])
def test_float_maps_are_read_in_both_byte_orders(order: str) -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert (read_pfm(pfm(values, order)) == values).all()

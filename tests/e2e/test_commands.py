"""The commands of ``sharp-xr`` that work on files, one after another, as a user types them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import skimage
from PIL import Image

from sharp_xr.formats.ply import read_ply

ASTRONAUT = Path(skimage.__file__).parent / "data" / "astronaut.png"


def sharp_xr(*words: object) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("sharp-xr")), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a real photo, by ``sharp-xr predict``."""
    path = tmp_path_factory.mktemp("predicted") / "astronaut.ply"
    ended = sharp_xr("predict", ASTRONAUT, "-o", path, "--device", "cpu")
    assert ended.returncode == 0, ended.stderr
    assert "Gaussians; decode " in ended.stderr
    return path


def test_a_photo_becomes_gaussians_before_its_camera(scene: Path) -> None:
    gaussians, info = read_ply(scene)
    assert (info.photo.width, info.photo.height, info.dropped) == (512, 512, 0)
    assert len(gaussians) > 10_000
    assert (gaussians.means[:, 2] > 0).all()


def test_the_first_picture_of_a_scene_is_its_photo(scene: Path, tmp_path: Path) -> None:
    """The rotation begins beside the photo's camera, so a blurred picture is a blurred photo."""
    output = tmp_path / "out.png"
    ended = sharp_xr("render", scene, "-o", output, "--size", 128, "--renderer", "cpu")
    assert ended.returncode == 0, ended.stderr
    with Image.open(output) as drawn, Image.open(ASTRONAUT) as photo:
        small = [
            np.asarray(image.convert("RGB").resize((16, 16), Image.Resampling.BOX), np.float32)
            for image in (drawn, photo)
        ]
    assert float(np.corrcoef(small[0].ravel(), small[1].ravel())[0, 1]) > 0.9


def test_a_scene_becomes_a_stereo_film(scene: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    ended = sharp_xr(
        *("render", scene, "-o", output, "--size", 64, "--renderer", "cpu"),
        *("--stereo", "--trajectory", "swipe"),
    )
    assert ended.returncode == 0, ended.stderr
    with av.open(output) as film:
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert len(frames) == 60 and frames[0].shape == (64, 128, 3)
    assert np.abs(frames[0].astype(int) - frames[-1]).mean() > 1  # the camera moved


def test_several_photos_go_on_past_one_that_is_none(tmp_path: Path) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("hello", encoding="utf-8")
    ended = sharp_xr("predict", text, ASTRONAUT, "-o", tmp_path / "out", "--device", "cpu")
    assert ended.returncode == 1
    assert "text.jpg: " in ended.stderr and "Traceback" not in ended.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["astronaut.ply"]


@contextlib.contextmanager
def predicting(*words: object, on_ctrl_c: signal.Handlers) -> Iterator[subprocess.Popen[str]]:
    """`sharp-xr predict` in a process group of its own, where it has said what it predicts with;
    it came into the world with that answer to Ctrl-C, whatever these tests came with."""
    command = [str(Path(sys.executable).with_name("sharp-xr")), "predict", *map(str, words)]
    with subprocess.Popen(
        [*command, "--device", "cpu"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, on_ctrl_c),
    ) as process:
        assert process.stderr is not None
        assert "lite on cpu" in process.stderr.readline()
        yield process


def after_ctrl_c(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit code after Ctrl-C, which a terminal sends to the children as well; what it said."""
    os.killpg(process.pid, signal.SIGINT)
    assert process.stderr is not None
    said = process.stderr.read()
    return process.wait(20), said


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_ctrl_c_ends_a_prediction_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with predicting(ASTRONAUT, "-o", out, on_ctrl_c=signal.SIG_DFL) as process:
        code, said = after_ctrl_c(process)
    assert code == 128 + signal.SIGINT, said
    assert "Traceback" not in said
    assert not out.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_in_the_background_of_a_script_a_prediction_goes_on_through_ctrl_c(tmp_path: Path) -> None:
    out = tmp_path / "out.ply"
    with predicting(ASTRONAUT, "-o", out, on_ctrl_c=signal.SIG_IGN) as process:
        time.sleep(0.3)  # handlers would stand by now
        code, said = after_ctrl_c(process)
    assert code == 0, said
    assert out.exists()


def test_the_doctor_says_what_this_machine_has(tmp_path: Path) -> None:
    ended = sharp_xr("doctor", "--json", "--data", tmp_path, "--port", 0)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    findings = {each["name"]: each for each in json.loads(ended.stdout)}
    assert findings["model"] == {"name": "model", "state": "ok", "found": "lite", "remedy": ""}

"""What a headset's machine has to have."""

import re
import subprocess
import sys
from importlib.metadata import requires

import pytest

SCRIPT = """
import sys, tyro
import sharp_xr_client.app
if sys.argv[1] == "headset":
    import sharp_xr_client.openxr.headset
names = {name.split(".")[0] for name in sys.modules}
print(*sorted(names & {"torch", "sharp_xr", "numba", "starlette", "xr", "OpenGL", "glfw"}))
"""


def imported(kind: str) -> list[str]:
    command = [sys.executable, "-c", SCRIPT, kind]
    done = subprocess.run(command, capture_output=True, text=True)
    if "libGL" in done.stderr or "glXGetCurrentContext" in done.stderr:
        pytest.skip("no OpenGL here: libGL is missing")
    assert not done.returncode, done.stderr
    return done.stdout.split()


def test_the_headset_needs_neither_torch_nor_the_server() -> None:
    assert imported("headset") == ["OpenGL", "glfw", "xr"]


def test_a_simulated_head_needs_no_openxr_either() -> None:
    assert imported("simulated") == []


def test_what_is_installed_for_a_headset_has_no_torch_in_it() -> None:
    """``pip install 'sharp-xr[client]'``: what has no extra's mark, and what has the client's."""
    marked = [line.partition(";") for line in requires("sharp-xr") or []]
    ours = {
        re.split(r"[^A-Za-z0-9-]", name)[0].lower()
        for name, _, mark in marked
        if "extra" not in mark or re.search(r"extra == ['\"]client['\"]", mark)
    }
    assert {"pyopenxr", "aiortc", "numpy"} <= ours
    assert not ours & {"torch", "torchvision", "numba", "gsplat", "scipy", "starlette"}

"""What a headset's machine has to have."""

import subprocess
import sys

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

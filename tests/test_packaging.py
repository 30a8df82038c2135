"""What ships: the page, the weights, the types, both commands; and the client stays light."""

import os
import subprocess
import sys
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from this checkout in a process of its own (a build changes directory)."""
    target = tmp_path_factory.mktemp("wheel")
    build = "import sys, hatchling.build; print(hatchling.build.build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", build, str(target)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return zipfile.ZipFile(target / done.stdout.split()[-1])


@pytest.mark.parametrize(
    "file",
    [
        "sharp_xr_protocol/py.typed",
        "sharp_xr/py.typed",
        "sharp_xr_client/py.typed",
        "sharp_xr/web/index.html",
        "sharp_xr/model/weights/lite.safetensors",
        "sharp_xr/model/weights/MODEL_CARD.md",
    ],
)
def test_the_wheel_holds_it(wheel: zipfile.ZipFile, file: str) -> None:
    assert file in wheel.namelist()


def test_the_wheel_is_small(wheel: zipfile.ZipFile) -> None:
    """The embedded model may take 16 MB; the rest is text."""
    assert sum(item.compress_size for item in wheel.infolist()) < 20e6


def test_the_wheel_holds_no_tests_and_no_caches(wheel: zipfile.ZipFile) -> None:
    parts = {part for name in wheel.namelist() for part in Path(name).parts}
    assert not parts & {"tests", "__pycache__", "scripts", "benchmarks"}


def test_both_commands_are_installed() -> None:
    scripts = {e.name for e in entry_points(group="console_scripts")}
    assert {"sharp-xr", "sharp-xr-client"} <= scripts


HEAVY = ("torch", "numba", "starlette", "gsplat", "xr")


@pytest.mark.parametrize(
    "module", ["sharp_xr_client.cli", "sharp_xr.cli", "sharp_xr_protocol.messages"]
)
def test_nothing_heavy_is_loaded_before_it_is_needed(module: str) -> None:
    code = f"import sys, {module}; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=os.environ
    )
    assert done.stdout.split() == []

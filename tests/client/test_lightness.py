"""What a headset's machine has to have: what ``pip install 'sharp-xr[client]'`` brings, no more.

This environment has far more: the client runs on a folder of links to just those distributions.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import distribution, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import sharp_xr_client
import sharp_xr_protocol

EVERY_MODULE = """
import importlib, pkgutil
import sharp_xr_client
for module in pkgutil.walk_packages(sharp_xr_client.__path__, "sharp_xr_client."):
    importlib.import_module(module.name)
"""

SESSION = """
import sys
from sharp_xr_client.cli import main
code = main(sys.argv[1:])
print(*sorted({"xr", "OpenGL", "glfw"} & set(sys.modules)))
raise SystemExit(code)
"""


def brought_by(name: str, extra: str = "") -> Iterator[str]:
    """Names of the distributions that this one needs, and those that they need."""
    for line in requires(name) or ():
        wanted = Requirement(line)
        if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
            yield canonicalize_name(wanted.name)
            for further in ("", *wanted.extras):
                yield from brought_by(wanted.name, further)


OURS = set(brought_by("sharp-xr", "client"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with those alone, and the client's own two."""
    folder = tmp_path_factory.mktemp("site")
    for package in (sharp_xr_client, sharp_xr_protocol):
        source = Path(package.__path__[0])
        (folder / source.name).symlink_to(source)
    for name in ("sharp-xr", *OURS):
        found = distribution(name)
        for top in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            if not (folder / top).exists():
                (folder / top).symlink_to(str(found.locate_file(top)))
    return folder


def alone(site: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it where only OURS are installed."""
    return subprocess.run(
        [sys.executable, "-S", "-c", script, *arguments],
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )


def test_no_heavy_distribution_is_brought(site: Path) -> None:
    assert {"pyopenxr", "aiortc", "av", "numpy", "tyro"} <= OURS
    assert not OURS & {"torch", "torchvision", "numba", "gsplat", "scipy", "starlette", "pillow"}
    assert len(OURS) < 30, sorted(OURS)
    for absent in ("torch", "numba", "PIL", "sharp_xr"):
        assert f"No module named '{absent}'" in alone(site, f"import {absent}").stderr


def test_every_module_is_importable_with_what_is_brought(site: Path) -> None:
    done = alone(site, EVERY_MODULE)
    if "libGL" in done.stderr or "glXGetCurrentContext" in done.stderr:
        pytest.skip("no OpenGL here: libGL is missing")
    assert not done.returncode, done.stderr


def test_a_simulated_head_streams_with_what_is_brought_and_without_openxr(
    site: Path, streaming: Callable[..., str]
) -> None:
    small = ("--simulate", "--warp", "--seconds", "0.2", "--eye-size", "64")
    done = alone(site, SESSION, streaming("garden"), *small)
    assert not done.returncode, done.stderr
    assert "with their pose (100.0%)" in done.stdout
    assert done.stdout.splitlines()[-1] == "", "OpenXR and OpenGL are a headset's"


def test_help_is_had_without_anything_heavy(site: Path) -> None:
    done = alone(site, SESSION, "--help")
    assert not done.returncode, done.stderr
    assert "--simulate" in done.stdout

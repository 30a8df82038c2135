"""Furniture of the tests' own (a cube three times, in the format of the real thing); one thread."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from sharp_xr.train.data.furniture import Library

CUBE = """mtllib cube.mtl
v -1 -1 -1
v 1 -1 -1
v 1 1 -1
v -1 1 -1
v -1 -1 3
v 1 -1 3
v 1 1 3
v -1 1 3
vt 0 0
usemtl red
f 1/1 2/1 3/1 4/1
f 5 6 7 8
f -8 -7 -3 -4
f 4 3 7 8
f 1 4 8 5
f 2 3 7 6
"""
MATERIAL = "newmtl red\nKd 0.5 0.1 0.2\nmap_Kd missing.png\n"
CATALOGUE = """# made for tests
name#1=Chair
category#1=Living room
model#1=/models/cube.obj
width#1=50
depth#1=60.5
height#1=90
name#2=Bench
category#2=Exterior
model#2=/models/cube.obj
width#2=150
depth#2=50
height#2=45
name#3=Mug
category#3=Kitchen
model#3=/models/cube.obj
width#3=8
depth#3=8
height#3=11
name#4=Door
doorOrWindow#4=true
model#4=/models/cube.obj
width#4=90
depth#4=10
height#4=200
name#5=Lost
model#5=/models/none.obj
width#5=90
depth#5=10
height#5=200
"""


@pytest.fixture(scope="session")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one pack, still zipped."""
    folder = tmp_path_factory.mktemp("assets")
    with zipfile.ZipFile(folder / "BlendSwap-CC-0.sh3f", "w") as pack:
        pack.writestr("PluginFurnitureCatalog.properties", CATALOGUE)
        pack.writestr("models/cube.obj", CUBE)
        pack.writestr("models/cube.mtl", MATERIAL)
    return folder


@pytest.fixture(scope="session")
def library(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Library:
    return Library(assets, tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """For tiny pictures: threads would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)

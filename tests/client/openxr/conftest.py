"""A simulated headset for the tests that need one, started once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scripts.openxr.monado import Compositor, Monado, NoMonadoError
from scripts.openxr.stand import Stand
from scripts.openxr.wearer import Wearer

from sharp_xr.stream import colour
from sharp_xr_protocol.geometry import Pose

STANDING = Pose((0.0, 1.6, 0.0))
"""stage_from_head at which each test begins."""


def started(folder: Path, compositor: Compositor) -> Monado:
    try:
        return Monado(folder, compositor)
    except NoMonadoError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def compiled() -> None:
    """So that no test waits for a compiler within the time that it gives a stream."""
    colour.warm_up()


@pytest.fixture(scope="session")
def null_monado(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monado]:
    """Without any picture: for what happens."""
    with started(tmp_path_factory.mktemp("null"), "null") as monado:
        yield monado


@pytest.fixture(scope="session")
def seen_monado(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monado]:
    """With a compositor whose pictures can be read: for what is seen."""
    with started(tmp_path_factory.mktemp("compute"), "compute") as monado:
        yield monado


@pytest.fixture
def stand(compiled: None) -> Iterator[Stand]:
    """A server with scenes."""
    server = Stand()
    yield server
    server.close()


@pytest.fixture
def wear(stand: Stand, tmp_path: Path) -> Iterator[Callable[..., Wearer]]:
    """``wear(monado, *arguments)``: the client of ``stand`` on this headset, standing."""
    wearers: list[Wearer] = []

    def start(monado: Monado, *arguments: str, code: str | None = None) -> Wearer:
        monado.move(STANDING)
        folder = tmp_path / f"wearer-{len(wearers)}"
        wearers.append(Wearer(monado, folder, stand.address, *arguments, code=code))
        return wearers[-1]

    yield start
    for wearer in wearers:
        wearer.__exit__(None, None, None)

"""Which device is taken, on machines that this one is not."""

from __future__ import annotations

import pytest

from sharp_xr import devices
from sharp_xr.devices import Device, DeviceError, choose

NONE = "there is no NVIDIA GPU"


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> list[str] | str:
    found: list[str] | str = request.param
    monkeypatch.setattr(devices, "usable_gpus", lambda: found)
    return found


two = pytest.mark.parametrize("gpus", [["H100", "L4"]], indirect=True)
none = pytest.mark.parametrize("gpus", [NONE], indirect=True)


@two
@pytest.mark.parametrize(
    ("device", "gpu", "wanted"),
    [
        (None, None, Device("cuda:0", "H100")),
        ("cpu", None, Device("cpu", "as asked for", asked_for=True)),
        ("cuda", None, Device("cuda:0", "H100", asked_for=True)),
        ("cuda:1", None, Device("cuda:1", "L4", asked_for=True)),
        (None, 1, Device("cuda:1", "L4", asked_for=True)),
    ],
)
def test_the_best_or_the_named_device_is_taken(
    gpus: list[str], device: str | None, gpu: int | None, wanted: Device
) -> None:
    assert choose(device, gpu) == wanted


@none
def test_without_a_gpu_the_cpu_is_taken_and_the_reason_is_told(gpus: str) -> None:
    assert choose() == Device("cpu", NONE)


@none
@pytest.mark.parametrize(("device", "gpu"), [(None, 0), ("cuda", None), ("cuda:0", None)])
def test_a_named_gpu_that_is_not_there_is_refused_with_the_way_out(
    gpus: str, device: str | None, gpu: int | None
) -> None:
    with pytest.raises(DeviceError, match="there is no NVIDIA GPU: .*--device cpu"):
        choose(device, gpu)


@two
@pytest.mark.parametrize(
    ("device", "gpu", "wanted"),
    [
        ("cuda:2", None, "cuda:2 was asked for, but the GPUs are 0 to 1"),
        (None, -1, "wanted cpu or cuda:N"),
        ("gpu", None, "there is no device 'gpu'"),
        ("cpu", 0, "give one of them"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    gpus: list[str], device: str | None, gpu: int | None, wanted: str
) -> None:
    with pytest.raises(DeviceError, match=wanted):
        choose(device, gpu)


def test_the_number_of_a_gpu_is_read_off_its_name() -> None:
    assert (Device("cuda:3", "").gpu, Device("cpu", "").gpu) == (3, None)


def test_without_a_driver_torch_is_not_even_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "driver_gpus", lambda: 0)
    monkeypatch.setitem(__import__("sys").modules, "torch", None)  # importing it would raise
    assert devices.usable_gpus() == NONE


class Renderer:
    """On a GPU that may not work."""

    def __init__(self, name: str, broken: bool) -> None:
        self.name, self.broken = name, broken

    def warm_up(self) -> None:
        if self.broken:
            raise RuntimeError("no nvcc")


@pytest.mark.parametrize(
    ("device", "broken", "name"),
    [
        (Device("cpu", ""), False, "cpu"),
        (Device("cuda:1", ""), False, "cuda"),
        (Device("cuda:1", ""), True, "cpu"),
        (Device("cuda:1", "", asked_for=True), True, "cuda"),  # told by its warm-up, later
    ],
)
def test_a_gpu_that_cannot_draw_is_replaced_unless_it_was_asked_for(
    device: Device, broken: bool, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        devices, "create_renderer", lambda kind, gpu=0: Renderer(kind, broken and kind == "cuda")
    )
    assert devices.renderer_for(device).name == name

"""Which device computes: what the user asked for, or else the best that there is."""

from __future__ import annotations

import ctypes
import logging
import re
from dataclasses import dataclass

from sharp_xr.render import Renderer, create_renderer

log = logging.getLogger(__name__)


class DeviceError(Exception):
    """The device that was asked for is not there; the message is one sentence for the user."""


@dataclass(frozen=True)
class Device:
    """Where prediction and drawing run."""

    name: str
    """A torch device: "cpu" or "cuda:0"."""
    reason: str
    """For a person: why this one."""
    asked_for: bool = False
    """Whether the user named it; else something slower may take its place."""

    def __str__(self) -> str:
        return f"{self.name} ({self.reason})"

    @property
    def gpu(self) -> int | None:
        """The number of the NVIDIA GPU; None on the CPU."""
        return int(self.name.removeprefix("cuda:")) if self.name.startswith("cuda:") else None


def choose(device: str | None = None, gpu: int | None = None) -> Device:
    """The device to use.

    Args:
        device: "cpu", "cuda" or "cuda:N", as the user wrote it.
        gpu: number of an NVIDIA GPU, as the user wrote it.

    Raises:
        DeviceError: both were given, neither can be read, or there is no such GPU.
    """
    if gpu is not None and device is not None:
        raise DeviceError("--gpu and --device say the same thing: give one of them")
    wanted = f"cuda:{gpu}" if gpu is not None else device
    match wanted:
        case None:
            return _best()
        case "cpu":
            return Device("cpu", "as asked for", asked_for=True)
        case "cuda":
            return _asked_for(0, wanted)
    if not re.fullmatch(r"cuda:\d{1,3}", wanted):
        raise DeviceError(f"there is no device {wanted!r}, wanted cpu or cuda:N")
    return _asked_for(int(wanted.removeprefix("cuda:")), wanted)


def _best() -> Device:
    names = usable_gpus()
    if isinstance(names, str):
        return Device("cpu", names)
    return Device("cuda:0", names[0])


def _asked_for(number: int, wanted: str) -> Device:
    names = usable_gpus()
    remedy = "leave the flag out, or give --device cpu, to run on the CPU"
    if isinstance(names, str):
        raise DeviceError(f"{wanted} was asked for, but {names}: {remedy}")
    if number >= len(names):
        there = "the only GPU is 0" if len(names) == 1 else f"the GPUs are 0 to {len(names) - 1}"
        raise DeviceError(f"{wanted} was asked for, but {there}: {remedy}")
    return Device(f"cuda:{number}", names[number], asked_for=True)


def renderer_for(device: Device) -> Renderer:
    """gsplat on a GPU that was asked for, or that shows that it works; else the CPU's.

    Raises:
        RuntimeError: a GPU that was asked for cannot draw; one sentence with the way out.
    """
    if device.gpu is not None:
        try:
            renderer = create_renderer("cuda", gpu=device.gpu)
            if not device.asked_for:
                renderer.warm_up()  # may fail to build its kernels
            return renderer
        except RuntimeError as error:
            if device.asked_for:
                raise
            log.warning("the CPU draws instead", extra={"fields": {"why": str(error)}})
    return create_renderer("cpu")


def usable_gpus() -> list[str] | str:
    """The names of the GPUs that torch can use, at least one; else why there is none."""
    if not driver_gpus():
        return "there is no NVIDIA GPU"
    try:
        import torch  # here: seconds that a machine without a GPU need not wait
    except ImportError:
        return "torch is not installed (pip install 'sharp-xr[server]')"
    if not torch.cuda.is_available():
        return f"torch {torch.__version__} cannot use the NVIDIA GPU (is it the CPU build?)"
    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]


def driver_gpus() -> int:
    """How many GPUs the NVIDIA driver knows (CUDA driver API); 0 without a driver."""
    for library in ("libcuda.so.1", "nvcuda.dll"):
        try:
            driver = ctypes.CDLL(library)
        except OSError:
            continue
        count = ctypes.c_int(0)
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0:
            return count.value
    return 0

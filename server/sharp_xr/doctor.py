"""``sharp-xr doctor``: what this machine has, and for each lack what to do about it.

A check is a function that returns a :class:`Finding`. It looks at the thing itself (opens the
encoder, binds the port, writes into the folder): names and version numbers promise too much.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

State = Literal["ok", "note", "bad"]

SERVER_PACKAGES = (
    *("torch", "numba", "numpy", "aiortc", "av", "starlette", "uvicorn", "websockets", "uvloop"),
    *("msgpack", "msgspec", "pillow", "pi-heif", "safetensors"),
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
WANTED_MEMORY = 2 << 30
"""Bytes: decoding the largest photo takes 1 GB, the model and its scene the other."""
WANTED_DISK = 1 << 30
"""Bytes: a dozen scenes of the full model."""


@dataclass(frozen=True)
class Finding:
    """What one check has found."""

    name: str
    state: State
    """"note": something does without it; "bad": ``sharp-xr serve`` cannot work."""
    found: str
    remedy: str = ""
    """What to do about it; empty where all is well."""


def run(data: Path, port: int, *, as_json: bool) -> int:
    """Print the findings. The exit code is 1 if ``serve`` could not work."""
    findings = examine(data, port)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        print("\n".join(map(_line, findings)))
    return int(any(finding.state == "bad" for finding in findings))


def examine(data: Path, port: int) -> list[Finding]:
    """All checks, one after another."""
    checks: list[tuple[str, Callable[[], Finding]]] = [
        ("python", python),
        ("packages", packages),
        ("aiortc", aiortc_hooks),
        ("gpu", gpu),
        ("renderer", renderer),
        ("encoder", encoders),
        ("model", model),
        ("memory", memory),
        ("data", lambda: data_folder(data)),
        ("port", lambda: free_port(port)),
        ("openxr", openxr_runtime),
        ("browser", browser),
    ]
    return [_guarded(name, check) for name, check in checks]


def _guarded(name: str, check: Callable[[], Finding]) -> Finding:
    """A doctor does not fall ill: what a check raises is what it has found."""
    try:
        return check()
    except ImportError as error:
        return Finding(name, "bad", f"{error.name or error} is missing", _pip("server"))
    except Exception as error:
        found = f"{type(error).__name__}: {' '.join(str(error).split())}"
        return Finding(
            name, "bad", found, "this is a fault of sharp-xr or of that package: please report it"
        )


# --- software ------------------------------------------------------------------------------------


def python() -> Finding:
    """Interpreter and system."""
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("python", "ok", found)


def packages() -> Finding:
    """The versions of what the server is made of."""
    versions = {name: _version(name) for name in SERVER_PACKAGES}
    found = ", ".join(f"{name} {number or '-'}" for name, number in versions.items())
    missing = [name for name, number in versions.items() if number is None]
    if not missing:
        return Finding("packages", "ok", found)
    if missing == ["uvloop"]:
        return Finding("packages", "note", f"{found} (the plain event loop is slower)")
    return Finding("packages", "bad", f"missing: {', '.join(missing)}", _pip("server"))


def aiortc_hooks() -> Finding:
    """Whether this aiortc has the private names that the sender hooks into."""
    from sharp_xr.stream.selftest import check_aiortc

    try:
        check_aiortc()
    except RuntimeError as error:
        return Finding("aiortc", "bad", str(error), "pip install 'aiortc>=1.16,<1.17'")
    return Finding("aiortc", "ok", f"{version('aiortc')} has all hooks")


# --- machine -------------------------------------------------------------------------------------


def gpu() -> Finding:
    """NVIDIA GPUs, as torch sees them."""
    from sharp_xr.devices import usable_gpus

    names = usable_gpus()
    if isinstance(names, str):
        remedy = "" if names.startswith("there is no") else "scripts/setup installs CUDA's torch"
        return Finding("gpu", "note", f"{names}; the CPU does the work", remedy)
    found = ", ".join(f"{number}: {name}" for number, name in enumerate(names))
    if _version("gsplat") is None:
        return Finding("gpu", "note", f"{found}, but no gsplat: the CPU draws", _pip("cuda"))
    return Finding("gpu", "ok", f"{found}; gsplat {_version('gsplat')}")


def renderer() -> Finding:
    """The CPU's renderer, which says its SIMD width and its threads."""
    from sharp_xr.render import create_renderer

    return Finding("renderer", "ok", create_renderer("cpu").name)


def encoders() -> Finding:
    """H.264 encoders, each tried."""
    from sharp_xr.stream.encoder import EncoderSettings, open_encoder, why_not
    from sharp_xr.stream.hardware import HARDWARE

    settings = EncoderSettings(256, 128, 60.0, 1_000_000)
    found = [open_encoder(settings, "x264").name]
    for name, hardware in HARDWARE.items():
        reason = why_not(name, settings)
        found.append(hardware.label if reason is None else f"no {hardware.label} ({reason})")
    return Finding("encoder", "ok", "; ".join(found))


def model() -> Finding:
    """The embedded model's weights, loaded."""
    from sharp_xr.model import ModelError, load_predictor

    try:
        predictor = load_predictor("lite")
    except ModelError as error:
        return Finding("model", "bad", str(error), "install sharp-xr again: its wheel holds them")
    return Finding("model", "ok", predictor.name)


def memory() -> Finding:
    """What is free for photos and scenes."""
    free = free_memory()
    if free is None:
        return Finding("memory", "note", "this system does not say how much is free")
    found = f"{free / 2**30:.1f} GiB free"
    if free < WANTED_MEMORY:
        remedy = f"close programs; large photos need {WANTED_MEMORY >> 30} GiB"
        return Finding("memory", "note", found, remedy)
    return Finding("memory", "ok", found)


def free_memory() -> int | None:
    """Bytes that can be had without swapping (Linux: MemAvailable); None if unknown."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields["MemAvailable"].split()[0]) << 10 if "MemAvailable" in fields else None


def data_folder(data: Path) -> Finding:
    """Whether scenes can be written."""
    there = data
    while not there.exists():
        there = there.parent
    try:
        with tempfile.TemporaryFile(dir=there):
            free = shutil.disk_usage(there).free
    except OSError as error:
        found = f"{data} cannot be written: {(error.strerror or str(error)).lower()}"
        return Finding("data", "bad", found, "name another folder with --data")
    found = f"{data}, {free / 2**30:.1f} GiB free"
    if free < WANTED_DISK:
        return Finding("data", "note", found, "delete scenes, or name another folder with --data")
    return Finding("data", "ok", found)


def free_port(port: int) -> Finding:
    """Whether the usual port can be bound."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            found = f"{port}: {(error.strerror or str(error)).lower()}"
            return Finding("port", "note", found, "sharp-xr serve --port 0 takes a free one")
    return Finding("port", "ok", f"{port} is free")


# --- what shows it -------------------------------------------------------------------------------


def openxr_runtime() -> Finding:
    """The runtime that an OpenXR program would load (loader specification, "Active Runtime")."""
    manifest = active_runtime()
    if manifest is None:
        remedy = "for a headset on this machine: start Monado, WiVRn or SteamVR once"
        return Finding("openxr", "note", "no active runtime", remedy)
    try:
        runtime = json.loads(manifest.read_text(encoding="utf-8"))["runtime"]
        name = runtime.get("name") or runtime["library_path"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        remedy = "set XR_RUNTIME_JSON to a runtime's manifest"
        return Finding("openxr", "note", f"{manifest} is no runtime's manifest", remedy)
    return Finding("openxr", "ok", f"{name} ({manifest})")


def active_runtime() -> Path | None:
    """The active runtime's manifest on Linux; None without one."""
    if named := os.environ.get("XR_RUNTIME_JSON"):
        return Path(named)
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    system = os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    for folder in (home, *system.split(":"), "/usr/local/etc", "/etc", "/usr/share"):
        for name in (f"active_runtime.{platform.machine()}.json", "active_runtime.json"):
            manifest = Path(folder, "openxr", "1", name)
            if manifest.is_file():
                return manifest
    return None


def browser() -> Finding:
    """A Chromium; the page itself may be opened anywhere."""
    for name in BROWSERS:
        if path := shutil.which(name):
            return Finding("browser", "ok", path)
    remedy = "the page runs in any browser of the network; tests want apt install chromium"
    return Finding("browser", "note", "no Chromium on this machine", remedy)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _pip(extra: str) -> str:
    return f"pip install 'sharp-xr[{extra}]'"


def _line(finding: Finding) -> str:
    text = f"{finding.state:>4}  {finding.name:<9} {finding.found}"
    return text + (f"\n{'':16}-> {finding.remedy}" if finding.remedy else "")

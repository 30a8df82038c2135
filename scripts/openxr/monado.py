"""A simulated headset: Monado's service, and what a client of it has to be started with.

    with Monado(folder, "compute") as monado:
        subprocess.run(monado.command("-m", "sharp_xr_client.cli", ...), env=monado.environment)

Monado comes out of ``scripts/openxr/install``, with libraries that are newer than this system's:
service and client run under its ld.so. Two compositors: "null" shows nothing, at 20 Hz; "compute"
reprojects as a real one does, by software Vulkan, into a window on an X server of its own.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Literal

import numpy as np
from numpy.typing import NDArray
from scripts.openxr.remote import LEFT, RIGHT, Hand, RemoteHead
from scripts.openxr.screen import read_screen

from sharp_xr_protocol.geometry import Pose

Compositor = Literal["null", "compute"]

LIBRARIES = "usr/lib/x86_64-linux-gnu"
WINDOW = (960, 540)
"""Width and height of the compositor's window, both eyes, at the screen's upper left."""
READY_S = 30.0
INSTALL = Path(__file__).with_name("install")


class NoMonadoError(Exception):
    """There is no simulated headset here; the message says why."""


def installed() -> Path:
    """The folder of Monado, which is made if it is missing.

    Raises:
        NoMonadoError: it cannot be.
    """
    done = subprocess.run([str(INSTALL)], capture_output=True, text=True)
    if done.returncode:
        raise NoMonadoError(
            (done.stderr.strip() or "scripts/openxr/install failed").split("\n")[-1]
        )
    return Path(done.stdout.strip())


class Monado:
    """One service and its screen, with sockets and settings below ``folder`` (made if missing).

    Raises:
        NoMonadoError: it is not installed, or does not start; with the end of its log.
    """

    def __init__(self, folder: Path, compositor: Compositor) -> None:
        self.compositor = compositor
        self.environment = dict(os.environ)
        """For clients."""
        self._prefix = installed()
        self._folder = folder
        self._screen: subprocess.Popen[bytes] | None = None
        self._service: subprocess.Popen[bytes] | None = None
        self._head: RemoteHead | None = None
        self._port = _free_port()
        for name in ("runtime", "home/.config/monado", "screen"):
            (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        self._describe()
        try:
            if compositor == "compute":
                self._start_screen()
            self.start()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Monado:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def command(self, *arguments: str) -> list[str]:
        """Runs this Python with these arguments, as a client."""
        return [*self._loader(), "--argv0", sys.executable, sys.executable, *arguments]

    def move(self, head: Pose, left: Hand = LEFT, right: Hand = RIGHT) -> None:
        """Be there, as of :meth:`RemoteHead.move`."""
        if self._head is None:
            self._head = RemoteHead(self._port)
        self._head.move(head, left, right)

    def recentre(self) -> None:
        """As a person does by the headset's own menu: the room's origin is where the head is."""
        control = [*self._loader(), str(self._prefix / "usr/bin/monado-ctl"), "-c"]
        settings = {**self.environment, **self._service_settings()}
        subprocess.run(control, env=settings, check=True, capture_output=True, timeout=READY_S)

    def pixels(self) -> NDArray[np.uint8]:
        """[540, 960, 3] sRGB: what the compositor shows, left eye left."""
        assert self.compositor == "compute"
        width, height = WINDOW
        return read_screen(self._folder / "screen" / "Xvfb_screen0")[:height, :width]

    def start(self) -> None:
        """Start the service, again if it was killed."""
        socket_path = self._folder / "runtime" / "monado_comp_ipc"
        socket_path.unlink(missing_ok=True)
        log = self._folder / "monado.log"
        with log.open("wb") as output:
            self._service = subprocess.Popen(
                [*_no_realtime(), *self._loader(), str(self._prefix / "usr/bin/monado-service")],
                env={**self.environment, **self._service_settings()},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._await(lambda: b"service has started" in log.read_bytes() and socket_path.exists())
        if b"setup_accept_fd bind" in log.read_bytes():
            raise NoMonadoError(f"Monado could not listen on port {self._port}")

    def kill(self) -> None:
        """End the service as a crash does."""
        assert self._service is not None
        self._let_go()
        self._service.kill()
        self._service.wait()

    def close(self) -> None:
        self._let_go()
        for process in (self._service, self._screen):
            if process is not None and process.poll() is None:
                process.terminate()
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def _let_go(self) -> None:
        if self._head is not None:
            self._head.close()
            self._head = None

    def _loader(self) -> list[str]:
        libraries = self._prefix / LIBRARIES
        # No ldconfig ran in there, so the folders that it would know are named.
        below = [libraries / name for name in ("", "blas", "lapack", "pulseaudio")]
        path = ":".join(map(str, [*below, self._prefix / "usr/lib"]))
        return [str(libraries / "ld-linux-x86-64.so.2"), "--library-path", path]

    def _describe(self) -> None:
        """Where runtime and drivers are, in files and in the environment."""
        libraries = self._prefix / LIBRARIES
        runtime = self._folder / "openxr.json"
        library = str(libraries / "libopenxr_monado.so")
        content = {"file_format_version": "1.0.0", "runtime": {"library_path": library}}
        runtime.write_text(json.dumps(content))
        vulkan = json.loads((self._prefix / "usr/share/vulkan/icd.d/lvp_icd.json").read_text())
        vulkan["ICD"]["library_path"] = str(libraries / "libvulkan_lvp.so")
        driver = self._folder / "lavapipe.json"
        driver.write_text(json.dumps(vulkan))
        remote = {"version": 0, "port": self._port, "view_count": 2}
        settings = self._folder / "home/.config/monado/config_v0.json"
        settings.write_text(json.dumps({"active": "remote", "remote": remote}))
        self.environment |= {
            "XDG_RUNTIME_DIR": str(self._folder / "runtime"),
            "XR_RUNTIME_JSON": str(runtime),
            "VK_DRIVER_FILES": str(driver),
            "__EGL_VENDOR_LIBRARY_DIRS": str(self._prefix / "usr/share/glvnd/egl_vendor.d"),
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "OXR_NO_PRINTING_STDERR": "1",
        }
        self.environment.pop("DISPLAY", None)
        self.environment.pop("WAYLAND_DISPLAY", None)

    def _service_settings(self) -> dict[str, str]:
        home = self._folder / "home"
        settings = {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "P_OVERRIDE_ACTIVE_CONFIG": "remote",
            "XRT_NO_STDIN": "1",
            "IPC_LOG": "info",
        }
        if self.compositor == "null":
            return {**settings, "XRT_COMPOSITOR_NULL": "1"}
        # The graphics path warps the corners of two triangles only, the compute path each pixel.
        return {**settings, "XRT_COMPOSITOR_FORCE_XCB": "1", "XRT_COMPOSITOR_COMPUTE": "1"}

    def _start_screen(self) -> None:
        """An X server that keeps its pixels in a file; it chooses its number itself."""
        read_end, write_end = os.pipe()
        with os.fdopen(read_end) as number, (self._folder / "xvfb.log").open("wb") as log:
            self._screen = subprocess.Popen(
                [
                    *("Xvfb", "-displayfd", str(write_end), "-nolisten", "tcp"),
                    *("-screen", "0", "1280x800x24", "-fbdir", str(self._folder / "screen")),
                ],
                pass_fds=[write_end],
                stdout=log,
                stderr=log,
            )
            os.close(write_end)
            self.environment["DISPLAY"] = f":{_line(number)}"

    def _await(self, ready: Callable[[], bool]) -> None:
        assert self._service is not None
        give_up = time.monotonic() + READY_S
        while not ready():
            if self._service.poll() is not None or time.monotonic() > give_up:
                tail = (self._folder / "monado.log").read_text(errors="replace")[-1500:]
                raise NoMonadoError(f"Monado did not start:\n{tail}")
            time.sleep(0.05)


def _line(stream: IO[str]) -> str:
    line = stream.readline().strip()
    if not line:
        raise NoMonadoError("Xvfb did not start")
    return line


def _free_port() -> int:
    """A TCP port that is free now: Monado cannot choose one itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _no_realtime() -> list[str]:
    """As root Monado takes a real-time priority that starves two cores; not without this right."""
    if os.geteuid():
        return []
    return ["setpriv", "--bounding-set", "-sys_nice", "--inh-caps", "-sys_nice"]


def main() -> None:
    """``python -m scripts.openxr.monado FOLDER [null|compute]``: run until Ctrl-C, say how to
    start a client."""
    folder = Path(sys.argv[1]).resolve()
    compositor: Compositor = "null" if sys.argv[2:] == ["null"] else "compute"
    with Monado(folder, compositor) as monado:
        changed = {k: v for k, v in monado.environment.items() if os.environ.get(k) != v}
        print("env -u WAYLAND_DISPLAY", *(f"{k}={v}" for k, v in changed.items()), end=" \\\n  ")
        print(*monado.command("-m", "sharp_xr_client.cli", "HOST:PORT"), flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()

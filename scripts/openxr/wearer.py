"""The client as a process before a simulated headset, and what it says."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from scripts.openxr.monado import Monado

PATIENCE_S = 100.0
"""For anything that is waited for: machines may be busy."""
HEARING = """
import faulthandler, signal
faulthandler.enable()
signal.signal(signal.SIGINT, signal.default_int_handler)
"""
"""Also where these scripts are a shell's background job, whose children ignore Ctrl-C."""
MAIN = "from sharp_xr_client.cli import main; raise SystemExit(main())"


class Wearer:
    """``sharp-xr-client`` on this headset, until the block ends.

    Args:
        folder: for its log and report.
        code: Python to run before the client, in its process.
    """

    def __init__(
        self, monado: Monado, folder: Path, *arguments: str, code: str | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / "client.log"
        self._report = folder / "report.json"
        script = f"{HEARING}\n{code or ''}\n{MAIN}"
        command = monado.command("-c", script, *arguments, "--json", str(self._report))
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command, env=monado.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def __enter__(self) -> Wearer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if error is not None:
            error.add_note(f"the client said:\n{self.said()}")

    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def until(self, what: Callable[[], bool], name: str) -> None:
        """Wait for it; the client must live meanwhile.

        Raises:
            AssertionError: it did not come.
        """
        give_up = time.monotonic() + PATIENCE_S
        while not what():
            assert self.process.poll() is None, f"the client ended before {name}: {self.said()}"
            assert time.monotonic() < give_up, f"{name} did not come: {self.said()}"
            time.sleep(0.02)

    def leave(self) -> tuple[int, dict[str, Any]]:
        """Ctrl-C; the exit code and the report."""
        self.process.send_signal(signal.SIGINT)
        return self.wait()

    def wait(self) -> tuple[int, dict[str, Any]]:
        """Until it ends by itself; the exit code and the report.

        Raises:
            AssertionError: it did not; with what its threads were at.
        """
        try:
            code = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.process.wait(PATIENCE_S)
            raise AssertionError(f"the client did not end: {self.said()}") from None
        report = json.loads(self._report.read_text()) if self._report.exists() else {}
        return code, report

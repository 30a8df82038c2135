"""One child process from begin to end, and what it says, on the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess

from sharp_xr.prediction.child import run_child
from sharp_xr.prediction.messages import Cancel, Message, Order, Wish


def _start_deaf(process: BaseProcess) -> None:
    """Without SIGINT from its first instruction on: a terminal's Ctrl-C reaches children too, and
    ending them is ours. What a thread blocks, the process that it starts has blocked."""
    if sys.platform == "win32":
        process.start()
        return
    resource_tracker.ensure_running()  # or it would start now, and unblock what we block
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class ChildProcess:
    """One process from begin to end, and the thread that listens to it."""

    def __init__(self, order: Order, on_end: Callable[[ChildProcess], None]) -> None:
        """``on_end`` is called on the event loop."""
        spawn = multiprocessing.get_context("spawn")
        self._ours, self._theirs = spawn.Pipe()
        self._process = spawn.Process(
            target=run_child, args=(self._theirs, order), name="sharp-xr-prediction", daemon=True
        )
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._listener = threading.Thread(
            target=self._listen, name="prediction-listener", daemon=True
        )
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="prediction-sender")
        self.messages: asyncio.Queue[Message | None] = asyncio.Queue()
        """What the child says; None is the end."""
        self.ended = False

    async def begin(self) -> None:
        """Starts the process; in a thread, since a spawn takes some 10 ms."""
        await asyncio.to_thread(_start_deaf, self._process)
        self._theirs.close()  # so that the pipe ends with the child
        self._listener.start()

    async def send(self, message: Wish | Cancel) -> None:
        """Something for the child; what is sent first arrives first, also if the caller goes away.

        Nothing happens if the child is dead: its end is told by ``messages``.
        """
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().run_in_executor(self._sender, self._ours.send, message)

    def kill(self) -> None:
        """At once, whatever it does."""
        if self._process.pid is not None:
            self._process.kill()

    async def end(self) -> None:
        """Kill it and wait until it is gone."""
        if self._listener.ident is not None:
            self.kill()
            await asyncio.to_thread(self._listener.join)

    def why_ended(self) -> str:
        """For a person."""
        code = self._process.exitcode
        if code is not None and code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"exit status {code}"

    def _listen(self) -> None:
        with contextlib.suppress(RuntimeError):  # the event loop is closed: nobody listens
            with contextlib.suppress(EOFError, OSError):
                while True:
                    self._loop.call_soon_threadsafe(self.messages.put_nowait, self._ours.recv())
            self._process.join()
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        self.ended = True
        self._ours.close()
        self._sender.shutdown(wait=False, cancel_futures=True)
        self.messages.put_nowait(None)
        self._on_end(self)

"""The headset's thread: it alone talks to OpenXR and OpenGL, and survives the runtime's end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import xr

from sharp_xr_client.openxr.frames import Frames, State
from sharp_xr_client.openxr.painting import Painter
from sharp_xr_client.openxr.runtime import Runtime, RuntimeLostError, display_of
from sharp_xr_client.openxr.session import Session
from sharp_xr_client.openxr.surfaceless import Surfaceless
from sharp_xr_client.openxr.window import Context, HiddenWindow, has_screen
from sharp_xr_client.problem import ClientError
from sharp_xr_protocol.messages import Display

LOST = (
    xr.exception.InstanceLostError,
    xr.exception.SessionLostError,
    xr.exception.SessionLossPending,  # a success to OpenXR, which pyopenxr raises all the same
)
RETRY_S = 2.0
"""Between looks for a runtime that ended."""


class Headset:
    """Made and closed on the main thread; its own thread runs in between.

    Args:
        longest_px: of an eye's picture at most, or None for what the runtime recommends.
        wanted_hz: of the display, where programs may choose it.
        say: tells the person a sentence at once, on any thread.
    """

    def __init__(
        self,
        state: State,
        longest_px: int | None,
        wanted_hz: float | None,
        say: Callable[[str], None],
    ) -> None:
        self._state = state
        self._longest_px = longest_px
        self._wanted_hz = wanted_hz
        self._say = say
        self._stopped = threading.Event()
        self._loop = asyncio.get_running_loop()
        self.display: asyncio.Future[Display] = self._loop.create_future()
        """What it shows on, when the first session is open; or ClientError."""
        self.ended: asyncio.Future[None] = self._loop.create_future()
        """Done when the thread is: the person left, or :meth:`stop` was called."""
        self._context: Context = HiddenWindow() if has_screen() else Surfaceless()
        self._thread = threading.Thread(target=self._run, name="openxr", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Leave the session; ``ended`` follows."""
        self._stopped.set()

    async def close(self) -> None:
        """Stop, and free what the main thread owns."""
        self.stop()
        await asyncio.wait([self.ended])
        await asyncio.to_thread(self._thread.join)
        self._context.close()

    # --- the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        error: Exception | None = None
        try:
            self._context.make_current()
            self._painter = Painter()
            self._sessions()
            self._painter.close()
        except Exception as problem:
            error = problem
        finally:
            self._context.let_go()
            self._tell(_settle, self.display, error or ClientError("the headset was left"))
            self._tell(_settle, self.ended, error)

    def _sessions(self) -> None:
        """One after the other, as long as runtimes are lost."""
        is_first = True
        while not self._stopped.is_set():
            try:
                self._session()
                return
            except RuntimeLostError as error:
                self._say(f"{error}; waiting for it to come back")
            except ClientError:
                if is_first:
                    raise
            is_first = False
            self._stopped.wait(RETRY_S)

    def _session(self) -> None:
        try:
            self._session_as_raised()
        except LOST as error:
            raise RuntimeLostError("the OpenXR runtime ended") from error
        except xr.exception.XrException as error:
            raise ClientError(f"the OpenXR runtime failed ({type(error).__name__})") from error

    def _session_as_raised(self) -> None:
        runtime = Runtime(egl=isinstance(self._context, Surfaceless))
        try:
            binding = self._context.binding()
            session = Session(runtime, binding)
            try:
                if self._wanted_hz is not None and (why := session.request_rate(self._wanted_hz)):
                    self._say(why)
                size = display_of(runtime.eye_size, session.refresh_hz, self._longest_px)
                self._say(
                    f"{runtime.headset}, {runtime.name}: "
                    f"{size.eye_width} x {size.eye_height} px per eye, {size.refresh_hz:.0f} Hz"
                )
                self._tell(_settle, self.display, size)
                Frames(session, self._context, self._painter, self._state).run(self._stopped.is_set)
            finally:
                session.close()
        finally:
            runtime.close()

    def _tell(self, function: Callable[..., None], *arguments: object) -> None:
        self._loop.call_soon_threadsafe(function, *arguments)


def _settle(future: asyncio.Future[object], outcome: object) -> None:
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
        future.exception()  # seen: whoever waits gets it, nobody need wait
    else:
        future.set_result(outcome)

"""All sessions of one server: how many there may be, what goes to all, how they end together."""

from __future__ import annotations

import asyncio
import contextlib

from sharp_xr.clients.host import Host
from sharp_xr.clients.outbox import DisconnectedError, Socket
from sharp_xr.clients.session import Session
from sharp_xr_protocol.codec import encode
from sharp_xr_protocol.messages import Bye, FromServer


class Sessions:
    """All clients of one server."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._running: dict[Session, asyncio.Task[None]] = {}
        self._closing: str | None = None

    def __len__(self) -> int:
        return len(self._running)

    async def serve(self, socket: Socket, host: Host) -> None:
        """One client from Hello to Bye; one client too many gets only the Bye."""
        refusal = self._closing
        if len(self._running) >= self._limit:
            refusal = f"this server has {self._limit} sessions, its limit: close one and try again"
        if refusal is not None:
            with contextlib.suppress(DisconnectedError):
                await socket.send(encode(Bye(refusal)))
            await socket.close()
            return
        session = Session(socket, host)
        task = asyncio.current_task()
        assert task is not None
        self._running[session] = task
        try:
            await session.run()
        finally:
            del self._running[session]

    def tell(self, message: FromServer) -> None:
        """Send this to everybody."""
        for session in self._running:
            session.tell(message)

    def scenes_changed(self) -> None:
        """The gallery is another: tell everybody."""
        for session in self._running:
            session.scenes_changed()

    async def close(self, reason: str, timeout_s: float = 3.0) -> None:
        """Bye to everybody, and to all who still come."""
        self._closing = reason
        for session in self._running:
            session.stop(reason)
        tasks = list(self._running.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=timeout_s)
            for task in late:
                task.cancel()

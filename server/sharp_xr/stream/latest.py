"""The slot between two stages: the newest wins, what nobody took in time is given back."""

from __future__ import annotations

import asyncio
import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """Holds at most one value. Any thread puts and takes; the event loop that made it may wait.

    Not a queue: a value that is put over an untaken one replaces it, so that a slow taker never
    falls behind by more than one value.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._filled = asyncio.Event()
        self._lock = threading.Lock()
        self._value: T | None = None

    def put(self, value: T) -> T | None:
        """Offer a value; the untaken one that it replaces, if any, comes back."""
        with self._lock:
            replaced, self._value = self._value, value
        if threading.get_ident() == self._loop_thread:
            self._filled.set()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._filled.set)
        return replaced

    def take(self) -> T | None:
        """The value, which leaves the slot empty; None if it is empty already."""
        with self._lock:
            value, self._value = self._value, None
        return value

    async def filled(self) -> None:
        """Wait until there is a value, and leave it: whoever needs it takes a newer one later."""
        while True:
            self._filled.clear()
            with self._lock:
                if self._value is not None:
                    return
            await self._filled.wait()

    async def get(self) -> T:
        """Wait for a value and take it."""
        while True:
            await self.filled()
            value = self.take()
            if value is not None:
                return value

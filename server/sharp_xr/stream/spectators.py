"""Everybody who only watches: who may join, on which scene's channel, and until when.

A spectator is here from its offer until it is ended, its connection breaks off, none comes about
within 20 s, its scene is deleted, or the server stops. A channel lives as long as it has one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor

from sharp_xr.stream.channel import Channel, Spectator, Studio
from sharp_xr.stream.loop import ShownScene
from sharp_xr_protocol.messages import Scene

log = logging.getLogger(__name__)

MAX_SPECTATORS = 32
"""Each one costs some 15 % of a core for its packets, at a few Mbit/s; none costs a drawing."""

LoadScene = Callable[[str], Awaitable[tuple[Scene, ShownScene]]]
"""Raises LookupError with one sentence."""


class FullError(RuntimeError):
    """No more spectators may join; the message is one sentence."""


class Spectators:
    """All of one server's. The event loop's thread only."""

    def __init__(self, studio: Studio, load: LoadScene, limit: int = MAX_SPECTATORS) -> None:
        self._studio = studio
        self._load = load
        self._limit = limit
        self._joining = 0
        self._watching: dict[str, Spectator] = {}
        self._channels: dict[str, tuple[Channel, asyncio.Task[None]]] = {}
        self._encode_threads = ThreadPoolExecutor(1, thread_name_prefix="encode-channels")
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing: str | None = None

    def __len__(self) -> int:
        return len(self._watching)

    def channel(self, scene_id: str) -> Channel | None:
        """What is on air of that scene."""
        found = self._channels.get(scene_id)
        return found[0] if found else None

    async def join(self, scene_id: str, offer_sdp: str) -> tuple[Spectator, str]:
        """One spectator more, and the answer to its offer.

        Raises:
            FullError: there are too many, or the server stops.
            LookupError: no such scene.
            ProtocolError: an offer that cannot be answered.
        """
        if self._closing is not None:
            raise FullError(self._closing)
        if len(self._watching) + self._joining >= self._limit:
            raise FullError(f"{self._limit} spectators watch, this server's limit: try again later")
        self._joining += 1
        try:
            return await self._join(scene_id, offer_sdp)
        finally:
            self._joining -= 1

    async def _join(self, scene_id: str, offer_sdp: str) -> tuple[Spectator, str]:
        scene, shown = await self._load(scene_id)
        spectator = Spectator(on_lost=self._lost)
        try:
            answer = await spectator.answer(offer_sdp)
            if self._closing is not None:  # meanwhile
                raise FullError(self._closing)
        except BaseException:
            await spectator.close()
            raise
        self._watching[spectator.id] = spectator
        spectator.watch(self._channel_of(scene, shown))
        _log("spectator joined", spectator)
        return spectator, answer

    def find(self, scene_id: str, spectator_id: str) -> Spectator:
        """Raises LookupError with one sentence."""
        found = self._watching.get(spectator_id)
        if found is None or found.channel is None or found.channel.scene.id != scene_id:
            raise LookupError("there is no such session: it has ended, or never was")
        return found

    async def end(self, spectator: Spectator, why: str) -> None:
        """Calling it again does nothing."""
        if self._watching.pop(spectator.id, None) is None:
            return
        _log("spectator left", spectator, why=why)
        channel = spectator.channel
        assert channel is not None
        channel.audience.discard(spectator)
        if not channel.audience:
            self._take_off_air(channel)
        await spectator.close()

    def scenes_changed(self, scenes: list[Scene]) -> None:
        """A deleted scene's channel ends; one whose camera is another goes on with it."""
        now = {scene.id: scene for scene in scenes}
        for channel, _ in list(self._channels.values()):
            scene = now.get(channel.scene.id)
            if scene is None:
                self._end_all(channel, "the scene was deleted")
            elif scene.photo_fov != channel.scene.photo_fov:
                self._hold(self._reload(channel))

    async def close(self, why: str) -> None:
        """End all, and refuse all who still come."""
        self._closing = why
        await asyncio.gather(*(self.end(one, why) for one in list(self._watching.values())))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._encode_threads.shutdown(wait=False)

    def _channel_of(self, scene: Scene, shown: ShownScene) -> Channel:
        found = self.channel(scene.id)
        if found is not None:
            return found
        channel = Channel(scene, shown, self._studio, self._encode_threads)
        task = self._hold(channel.run())
        task.add_done_callback(lambda done: self._ended(channel, done))
        self._channels[scene.id] = channel, task
        return channel

    def _take_off_air(self, channel: Channel) -> None:
        here, task = self._channels.get(channel.scene.id, (None, None))
        if here is channel and task is not None:
            del self._channels[channel.scene.id]
            task.cancel()

    def _ended(self, channel: Channel, task: asyncio.Task[None]) -> None:
        """By being cancelled, when nobody watches; else it failed, and would with each picture."""
        if not task.cancelled():
            log.error("a scene went off the air", exc_info=task.exception())
            self._end_all(channel, "the scene could not be shown; the server's log says why")

    def _end_all(self, channel: Channel, why: str) -> None:
        for spectator in list(channel.audience):
            self._hold(self.end(spectator, why))

    def _lost(self, spectator: Spectator, why: str) -> None:
        self._hold(self.end(spectator, why))

    async def _reload(self, channel: Channel) -> None:
        try:
            channel.update(*await self._load(channel.scene.id))
        except LookupError as error:
            log.info("a scene on air is gone: %s", error)  # and its deletion is told as well

    def _hold(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _log(event: str, spectator: Spectator, **fields: object) -> None:
    """The id stays out of the log: it is what lets one end the session."""
    assert spectator.channel is not None
    log.info(event, extra={"fields": {"scene": spectator.channel.scene.id, **fields}})

"""What a session of the product is given by servers that are none: a connection, and a gallery."""

from __future__ import annotations

from collections.abc import Sequence

from scripts.openxr.dots import DotsScene
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from sharp_xr.clients.outbox import DisconnectedError
from sharp_xr.stream.loop import ShownScene
from sharp_xr_protocol.codec import ProtocolError
from sharp_xr_protocol.geometry import Fov
from sharp_xr_protocol.messages import Scene


class Served:
    """A connection of ``websockets`` as ``sharp_xr.clients.outbox.Socket``."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection

    async def receive(self) -> bytes:
        try:
            data = await self._connection.recv()
        except ConnectionClosed as error:
            raise DisconnectedError from error
        if isinstance(data, str):
            raise ProtocolError("a text message")
        return data

    async def send(self, data: bytes) -> None:
        try:
            await self._connection.send(data)
        except ConnectionClosed as error:
            raise DisconnectedError from error

    async def close(self) -> None:
        await self._connection.close()


class Gallery:
    """Scenes of these names, newest first; what they show is the renderer's affair alone."""

    def __init__(self, names: Sequence[str], photo_fov: Fov) -> None:
        self._scenes = [
            Scene(f"id-{name}", name, 0.0, len(DotsScene()), "test", photo_fov, 2.0)
            for name in names
        ]

    def scenes(self) -> list[Scene]:
        return self._scenes

    async def load(self, scene_id: str) -> tuple[Scene, ShownScene]:
        for scene in self._scenes:
            if scene.id == scene_id:
                return scene, ShownScene(scene.id, DotsScene())
        raise LookupError(f"there is no scene {scene_id!r}")

"""The scenes on disk, and the few that are ready to be drawn.

A new scene can be seen as soon as it is prepared, and is stored while it is seen: the first picture
does not wait for the disk. If storing fails, the scene is gone again, which is said.

The focal length of a scene's photo may be corrected. That stretches what was predicted, without the
predictor, and always anew from what the disk has.

A scene is prepared for the renderer once and shared by the sessions; what was not looked at for
longest gives way when the prepared scenes outgrow their memory. All slow work is done in threads.
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from sharp_xr.formats.ply import UNKNOWN_PHOTO, PhotoCamera, read_ply
from sharp_xr.gaussians import Gaussians
from sharp_xr.render import PreparedScene, Renderer
from sharp_xr.render.camera import photo_fov
from sharp_xr.scenes.focal import focal_in_px, with_focal
from sharp_xr.scenes.index import Origin, SceneError, SceneRecord
from sharp_xr.scenes.ready import ReadyScenes
from sharp_xr.scenes.snapshot import snapshot
from sharp_xr.scenes.store import SceneStore, new_record
from sharp_xr.stream.loop import ShownScene
from sharp_xr_protocol.messages import Scene

log = logging.getLogger(__name__)

T = TypeVar("T")

THREADS = 2
"""Scenes loaded at a time; one more thread stores new ones, so that they hold up nobody."""


@dataclass(frozen=True)
class _Arrival:
    """A scene that is seen already and being stored."""

    gaussians: Gaussians
    thumbnail: bytes
    storing: asyncio.Task[None]


class SceneGallery:
    """What sessions and routes know of scenes (``host.Gallery``)."""

    def __init__(
        self,
        store: SceneStore,
        renderer: Renderer,
        on_change: Callable[[], None],
        memory_bytes: int = 1 << 30,
    ) -> None:
        """``on_change`` is called on the event loop after each change of the list."""
        self._store = store
        self._renderer = renderer
        self._on_change = on_change
        # In memory, because the index may be busy with the disk when the event loop asks.
        self._records = {record.id: record for record in store.list()}  # newest first
        self._ready = ReadyScenes(memory_bytes)
        self._loading: dict[str, asyncio.Task[ShownScene]] = {}
        self._arrivals: dict[str, _Arrival] = {}
        self._unstretched: ShownScene | None = None  # as predicted, of the scene refocused last
        self._focal_wishes: dict[str, float] = {}
        self._refocusing = asyncio.Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="gallery")
        self._storing_thread = ThreadPoolExecutor(1, thread_name_prefix="storing")

    def scenes(self) -> list[Scene]:
        """Newest first."""
        return [scene_of(record) for record in self._records.values()]

    def scene(self, scene_id: str) -> Scene:
        """Raises LookupError with one sentence."""
        return scene_of(self._record(scene_id))

    def made_of(self, origin: Origin) -> Scene | None:
        """The newest scene that was made of just this."""
        records = self._records.values()
        found = next((record for record in records if record.origin == origin), None)
        return scene_of(found) if found else None

    async def load(self, scene_id: str) -> tuple[Scene, ShownScene]:
        """The scene, ready to be drawn. Raises LookupError with one sentence."""
        self.scene(scene_id)
        shown = self._ready.get(scene_id)
        if shown is None:
            loading = self._loading.get(scene_id) or self._start_loading(scene_id)
            # Others may wait for the same scene: one who goes does not take it from them.
            loaded = await asyncio.shield(loading)
            shown = self._ready.get(scene_id) or loaded  # it may have been refocused meanwhile
        scene = self.scene(scene_id)  # or renamed, or deleted
        self._ready.keep(shown)
        return scene, shown

    async def add(
        self,
        gaussians: Gaussians,
        *,
        name: str,
        model: str,
        thumbnail: bytes,
        photo: PhotoCamera,
        camera_is_known: bool = True,
        origin: Origin | None = None,
        on_shown: Callable[[Scene], None] = lambda scene: None,
    ) -> Scene:
        """Show a scene, then store it; when this returns, it is on the disk.

        ``on_shown`` is called once sessions may ask for it. Raises SceneError: it could not be
        stored, and is gone again.
        """

        def prepare() -> tuple[SceneRecord, ShownScene]:
            record = new_record(
                gaussians,
                name=name,
                model=model,
                photo=photo,
                camera_is_known=camera_is_known,
                origin=origin,
            )
            return record, ShownScene(record.id, self._renderer.prepare(gaussians))

        record, shown = await self._in_thread(prepare)
        scene = scene_of(record)
        self._records = {record.id: record, **self._records}
        self._ready.keep(shown)
        storing = asyncio.create_task(self._store_new(record, gaussians, thumbnail))
        self._arrivals[scene.id] = _Arrival(gaussians, thumbnail, storing)
        self._on_change()
        on_shown(scene)
        await asyncio.shield(storing)
        return scene_of(self._records.get(record.id, record))  # it may have another name by now

    async def _store_new(self, record: SceneRecord, gaussians: Gaussians, thumbnail: bytes) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(
                self._storing_thread, self._store.add, record, gaussians, thumbnail
            )
        except BaseException:
            self._forget(record.id)
            raise
        finally:
            del self._arrivals[record.id]

    async def stored(self, scene_id: str) -> None:
        """Wait until a new scene is on the disk, or is not and gone."""
        if arrival := self._arrivals.get(scene_id):
            await asyncio.wait([arrival.storing])

    async def add_ply(
        self, data: bytes, *, name: str, on_shown: Callable[[Scene], None] = lambda scene: None
    ) -> Scene:
        """Likewise for the scene of a file's bytes. Raises PlyError or SceneError."""
        gaussians, info = await self._in_thread(lambda: read_ply(io.BytesIO(data)))
        picture = await self._in_thread(lambda: snapshot(self._renderer, gaussians, info.photo))
        return await self.add(
            gaussians,
            name=name,
            model="ply",
            thumbnail=picture,
            photo=info.photo,
            camera_is_known=info.photo != UNKNOWN_PHOTO,
            on_shown=on_shown,
        )

    async def rename(self, scene_id: str, name: str) -> Scene:
        """Raises LookupError or SceneError with one sentence."""
        await self.stored(scene_id)
        record = await self._in_thread(lambda: self._store.rename(scene_id, name))
        now = self._record(scene_id)  # it may have been deleted or refocused meanwhile
        self._records[scene_id] = replace(now, name=record.name)
        self._on_change()
        return self.scene(scene_id)

    async def renew(self, scene_id: str) -> Scene:
        """Make it the newest scene, which new sessions see first. Raises LookupError or SceneError
        with one sentence."""
        await self.stored(scene_id)
        record = await self._in_thread(lambda: self._store.renew(scene_id))
        now = replace(self._record(scene_id), created=record.created)
        del self._records[scene_id]
        self._records = {scene_id: now, **self._records}
        self._on_change()
        return self.scene(scene_id)

    async def refocus(self, scene_id: str, focal_35mm: float | None) -> Scene:
        """Give the photo's camera this focal length (35 mm equivalent); None is the photo's own.

        Sessions that show the scene are told by the change. Of wishes that wait for another only
        the newest is met. Raises LookupError or SceneError with one sentence.
        """
        self._focal_wishes[scene_id] = focal_in_px(self._record(scene_id), focal_35mm)
        async with self._refocusing:
            focal_px = self._focal_wishes.pop(scene_id, None)
            if focal_px is not None:
                await self._refocus(scene_id, focal_px)
        return self.scene(scene_id)

    async def _refocus(self, scene_id: str, focal_px: float) -> None:
        unstretched = await self._as_predicted(scene_id)
        stretch = with_focal(self._record(scene_id), focal_px).stretch
        prepared = unstretched
        if stretch != 1.0:
            prepared = await self._in_thread(lambda: unstretched.refocused(stretch))
        self._records[scene_id] = with_focal(self._record(scene_id), focal_px)
        self._ready.keep(ShownScene(scene_id, prepared))
        self._on_change()
        await self.stored(scene_id)
        await self._in_thread(lambda: self._store.refocus(scene_id, focal_px))

    async def _as_predicted(self, scene_id: str) -> PreparedScene:
        """Kept until another scene is refocused: a slider asks ten times a second."""
        if self._unstretched is None or self._unstretched.id != scene_id:
            shown = self._ready.get(scene_id)
            if shown is None or self._record(scene_id).stretch != 1.0:
                shown = ShownScene(scene_id, await self._in_thread(self._prepare(scene_id)))
            self._unstretched = shown
        return self._unstretched.prepared

    async def delete(self, scene_id: str) -> None:
        """Sessions that show it are told by the change. Raises LookupError with one sentence."""
        await self.stored(scene_id)
        await self._in_thread(lambda: self._store.delete(scene_id))
        self._forget(scene_id)

    async def ply_path(self, scene_id: str) -> Path:
        """Raises LookupError with one sentence."""
        await self.stored(scene_id)
        return await self._in_thread(lambda: self._store.ply_path(scene_id))

    async def thumbnail(self, scene_id: str) -> bytes:
        """A JPEG. Raises LookupError with one sentence."""
        if arrival := self._arrivals.get(scene_id):
            return arrival.thumbnail
        return await self._in_thread(lambda: self._store.thumbnail(scene_id))

    def close(self) -> None:
        """After what is being stored or waits for it: it has been seen. Not on the event loop."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._storing_thread.shutdown(wait=True)
        self._store.close()

    def _start_loading(self, scene_id: str) -> asyncio.Task[ShownScene]:
        task = asyncio.create_task(self._load(scene_id))
        self._loading[scene_id] = task
        task.add_done_callback(lambda _: self._loading.pop(scene_id))
        return task

    async def _load(self, scene_id: str) -> ShownScene:
        try:
            while True:
                stretch = self._record(scene_id).stretch
                prepared = await self._in_thread(self._prepare(scene_id, stretch))
                if self._record(scene_id).stretch == stretch:
                    shown = ShownScene(scene_id, prepared)
                    self._ready.keep(shown)  # before this task ends: who asks next must find it
                    return shown
        except SceneError as error:
            raise LookupError(str(error)) from error

    def _prepare(self, scene_id: str, stretch: float = 1.0) -> Callable[[], PreparedScene]:
        """The scene, as predicted or stretched; the result is called in a thread."""
        arrival = self._arrivals.get(scene_id)

        def prepare() -> PreparedScene:
            gaussians = arrival.gaussians if arrival else self._store.load(scene_id)
            prepared = self._renderer.prepare(gaussians)
            return prepared if stretch == 1.0 else prepared.refocused(stretch)

        return prepare

    def _record(self, scene_id: str) -> SceneRecord:
        if scene_id not in self._records:
            raise LookupError("there is no such scene: it may have been deleted")
        return self._records[scene_id]

    def _forget(self, scene_id: str) -> None:
        self._records.pop(scene_id, None)
        self._ready.forget(scene_id)
        if self._unstretched is not None and self._unstretched.id == scene_id:
            self._unstretched = None
        self._on_change()

    def _in_thread(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work)


def scene_of(record: SceneRecord) -> Scene:
    """What clients are told of a scene."""
    photo = record.photo
    return Scene(
        id=record.id,
        name=record.name,
        created=record.created,
        gaussians=record.gaussians,
        model=record.model,
        photo_fov=photo_fov(photo.width, photo.height, photo.focal_px),
        focus_m=record.focus_m,
    )

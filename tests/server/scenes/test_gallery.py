"""The gallery on a real store, with a renderer of straw."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import math
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.server.straw import StrawRenderer, StrawScene, some_gaussians

from sharp_xr.formats.ply import UNKNOWN_PHOTO, PhotoCamera, write_ply
from sharp_xr.gaussians import Gaussians
from sharp_xr.scenes.gallery import SceneGallery
from sharp_xr.scenes.index import SceneError, SceneRecord
from sharp_xr.scenes.ready import BYTES_PER_GAUSSIAN
from sharp_xr.scenes.store import SceneStore
from sharp_xr.stream.loop import ShownScene
from sharp_xr_protocol.messages import Scene


@dataclasses.dataclass
class Setup:
    """A gallery, and what it did to others."""

    gallery: SceneGallery
    store: SceneStore
    renderer: StrawRenderer
    changes: list[int]

    async def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(100_000):
            if condition():
                return
            await asyncio.sleep(0)
        raise AssertionError("waited in vain")

    async def add(
        self, count: int = 3, on_shown: Callable[[Scene], None] = lambda scene: None
    ) -> Scene:
        return await self.gallery.add(
            some_gaussians(count),
            name="n",
            model="m",
            thumbnail=b"jpeg",
            photo=PhotoCamera(40, 30, 35.0),
            on_shown=on_shown,
        )


def play(
    data: Path,
    test: Callable[[Setup], Coroutine[Any, Any, None]],
    gaussians_in_memory: int = 1000,
) -> None:
    async def run() -> None:
        renderer, changes = StrawRenderer(), [0]
        store = SceneStore(data)
        gallery = SceneGallery(
            store,
            renderer,
            on_change=lambda: changes.append(len(gallery.scenes())),
            memory_bytes=gaussians_in_memory * BYTES_PER_GAUSSIAN,
        )
        try:
            await test(Setup(gallery, store, renderer, changes))
        finally:
            gallery.close()

    asyncio.run(run())


def test_a_stored_scene_is_ready_without_being_read_again(tmp_path: Path) -> None:
    async def test(setup: Setup) -> None:
        scene = await setup.add()
        again, shown = await setup.gallery.load(scene.id)
        assert (again, shown.id, len(shown.prepared)) == (scene, scene.id, 3)
        assert setup.renderer.prepared == [3]

    play(tmp_path, test)


class SlowDisk:
    """A store's ``add`` that waits until it may, and then may fail."""

    def __init__(self, setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
        self.may_end = threading.Event()
        self.is_full = False
        self._add = setup.store.add
        monkeypatch.setattr(setup.store, "add", self.add)

    def add(self, record: SceneRecord, gaussians: Gaussians, thumbnail: bytes) -> None:
        assert self.may_end.wait(20)
        if self.is_full:
            raise SceneError("cannot store the scene: the disk is full")
        self._add(record, gaussians, thumbnail)


async def shown_early(setup: Setup) -> tuple[Scene, asyncio.Task[Scene]]:
    """A scene that is being stored."""
    shown: asyncio.Future[Scene] = asyncio.get_running_loop().create_future()
    adding = asyncio.create_task(setup.add(on_shown=shown.set_result))
    return await shown, adding


def test_a_scene_is_seen_before_the_disk_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(setup: Setup) -> None:
        disk = SlowDisk(setup, monkeypatch)
        scene, adding = await shown_early(setup)
        assert setup.gallery.scenes() == [scene] and setup.changes == [0, 1]
        assert (await setup.gallery.load(scene.id))[0] == scene
        assert await setup.gallery.thumbnail(scene.id) == b"jpeg"
        assert setup.store.list() == [] and not adding.done()
        file = asyncio.create_task(setup.gallery.ply_path(scene.id))
        renamed = asyncio.create_task(setup.gallery.rename(scene.id, "other"))
        await asyncio.sleep(0)
        disk.may_end.set()
        assert (await file).exists() and (await renamed).name == "other"
        assert (await adding).id == scene.id
        assert [record.name for record in setup.store.list()] == ["other"]

    play(tmp_path, test)


def test_a_scene_that_cannot_be_stored_is_gone_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(setup: Setup) -> None:
        disk = SlowDisk(setup, monkeypatch)
        disk.is_full = True
        scene, adding = await shown_early(setup)
        disk.may_end.set()
        with pytest.raises(SceneError, match="the disk is full"):
            await adding
        assert setup.changes == [0, 1, 0]
        with pytest.raises(LookupError):
            await setup.gallery.load(scene.id)

    play(tmp_path, test)


def test_a_scene_may_leave_memory_while_it_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(setup: Setup) -> None:
        disk = SlowDisk(setup, monkeypatch)
        first, adding = await shown_early(setup)
        _, also_adding = await shown_early(setup)
        assert len((await setup.gallery.load(first.id))[1].prepared) == 3
        disk.may_end.set()
        await asyncio.gather(adding, also_adding)
        assert setup.renderer.prepared == [3, 3, 3]

    play(tmp_path, test, gaussians_in_memory=4)


def test_a_scene_that_was_seen_is_stored_when_the_server_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(setup: Setup) -> None:
        disk = SlowDisk(setup, monkeypatch)
        both = [await shown_early(setup) for _ in range(2)]
        for _, adding in both:
            adding.cancel()  # who uploaded them is gone
        disk.may_end.set()

    play(tmp_path, test)
    with SceneStore(tmp_path) as store:
        assert len(store.list()) == 2


def stretched_to(shown: ShownScene) -> float:
    """How far the first Gaussian is, which was predicted a metre away."""
    prepared = shown.prepared
    assert isinstance(prepared, StrawScene)
    return float(prepared.gaussians.means[0, 2])


def mm_of(ratio: float) -> float:
    """The focal length that is this much of the scenes' own (35 px of 40 x 30)."""
    return ratio * 35 * math.hypot(36, 24) / 50


def test_a_corrected_focal_length_is_seen_at_once_and_kept(tmp_path: Path) -> None:
    async def test(setup: Setup) -> None:
        scene = await setup.add()
        for ratio in (2.0, 0.5, 3.0):
            changed = await setup.gallery.refocus(scene.id, mm_of(ratio))
            again, shown = await setup.gallery.load(scene.id)
            assert changed == again == setup.gallery.scenes()[0]
            assert stretched_to(shown) == pytest.approx(ratio)
            tan = math.tan(changed.photo_fov.right), math.tan(scene.photo_fov.right)
            assert tan[0] == pytest.approx(tan[1] / ratio)
            assert changed.focus_m == pytest.approx(scene.focus_m * ratio)
        assert setup.renderer.prepared == [3]
        assert setup.changes == [0, 1, 1, 1, 1]
        assert setup.store.get(scene.id).photo.focal_px == pytest.approx(105)

    async def later(setup: Setup) -> None:
        (scene,) = setup.gallery.scenes()
        assert stretched_to((await setup.gallery.load(scene.id))[1]) == pytest.approx(3.0)
        await setup.gallery.refocus(scene.id, mm_of(2.0))
        assert stretched_to((await setup.gallery.load(scene.id))[1]) == pytest.approx(2.0)
        await setup.gallery.refocus(scene.id, None)
        assert stretched_to((await setup.gallery.load(scene.id))[1]) == 1.0
        assert setup.store.get(scene.id).stretch == 1.0

    play(tmp_path, test)
    play(tmp_path, later)


def test_of_corrections_that_wait_the_newest_is_made(tmp_path: Path) -> None:
    async def test(setup: Setup) -> None:
        scene = await setup.add()
        ratios = (1.1, 1.2, 1.3, 1.4, 1.5)
        wishes = [setup.gallery.refocus(scene.id, mm_of(ratio)) for ratio in ratios]
        answers = await asyncio.gather(*wishes)
        assert answers[0] != answers[1] == answers[-1]  # the first one did not wait
        assert stretched_to((await setup.gallery.load(scene.id))[1]) == pytest.approx(1.5)
        assert len(setup.changes) == 2 + 2

    play(tmp_path, test)


def test_a_scene_may_be_corrected_while_it_is_loaded(tmp_path: Path) -> None:
    async def test(setup: Setup) -> None:
        scene = await setup.add(8)
        await setup.add(9)  # the first leaves memory
        setup.renderer.may_prepare.clear()
        load = asyncio.create_task(setup.gallery.load(scene.id))
        refocus = asyncio.create_task(setup.gallery.refocus(scene.id, mm_of(2.0)))
        await asyncio.sleep(0)
        setup.renderer.may_prepare.set()
        changed = await refocus
        await load
        again, shown = await setup.gallery.load(scene.id)
        assert again == changed and stretched_to(shown) == pytest.approx(2.0)

    play(tmp_path, test, gaussians_in_memory=10)


def test_a_scene_may_be_corrected_while_it_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(setup: Setup) -> None:
        disk = SlowDisk(setup, monkeypatch)
        scene, adding = await shown_early(setup)
        refocus = asyncio.create_task(setup.gallery.refocus(scene.id, mm_of(2.0)))
        await setup.until(lambda: len(setup.changes) == 3)
        assert stretched_to((await setup.gallery.load(scene.id))[1]) == pytest.approx(2.0)
        assert not refocus.done()
        disk.may_end.set()
        assert await refocus == await adding
        assert setup.store.get(scene.id).stretch == pytest.approx(2.0)

    play(tmp_path, test)


@pytest.mark.parametrize("mm", [7.9, 401.0, math.nan, math.inf])
def test_a_focal_length_that_no_lens_has_is_a_sentence(tmp_path: Path, mm: float) -> None:
    async def test(setup: Setup) -> None:
        scene = await setup.add()
        with pytest.raises(SceneError, match=f"^a focal length of {mm:g} mm, wanted 8 to 400$"):
            await setup.gallery.refocus(scene.id, mm)
        with pytest.raises(LookupError):
            await setup.gallery.refocus("none", 26.0)
        assert setup.gallery.scenes() == [scene]

    play(tmp_path, test)


@pytest.mark.parametrize("is_known", [True, False])
def test_only_a_file_that_names_its_camera_can_be_corrected(tmp_path: Path, is_known: bool) -> None:
    async def test(setup: Setup) -> None:
        file = io.BytesIO()
        photo = PhotoCamera(400, 300, 350.0) if is_known else UNKNOWN_PHOTO
        write_ply(file, some_gaussians(), photo)
        scene = await setup.gallery.add_ply(file.getvalue(), name="n")
        if is_known:
            changed = await setup.gallery.refocus(scene.id, 26.0)
            assert changed.photo_fov != scene.photo_fov
        else:
            with pytest.raises(SceneError, match="does not say with which camera"):
                await setup.gallery.refocus(scene.id, 26.0)

    play(tmp_path, test)


def test_each_change_is_told_when_it_can_be_seen(tmp_path: Path) -> None:
    async def test(setup: Setup) -> None:
        scene = await setup.add()
        await setup.add()
        await setup.gallery.rename(scene.id, "other")
        await setup.gallery.delete(scene.id)
        assert setup.changes == [0, 1, 2, 2, 1]

    play(tmp_path, test)


def test_what_the_gallery_says_is_what_the_store_holds(tmp_path: Path) -> None:
    said: list[list[Scene]] = []

    async def first(setup: Setup) -> None:
        scenes = [await setup.add() for _ in range(3)]
        await setup.gallery.delete(scenes[1].id)
        await setup.gallery.rename(scenes[0].id, "other")
        said.append(setup.gallery.scenes())
        assert [scene.id for scene in said[0]] == [scenes[2].id, scenes[0].id]

    async def later(setup: Setup) -> None:
        assert setup.gallery.scenes() == said[0]

    play(tmp_path, first)
    play(tmp_path, later)


def test_a_deleted_scene_cannot_be_loaded(tmp_path: Path) -> None:
    async def test(setup: Setup) -> None:
        scene = await setup.add()
        await setup.gallery.delete(scene.id)
        with pytest.raises(LookupError, match="no such scene"):
            await setup.gallery.load(scene.id)

    play(tmp_path, test)


def test_what_was_not_looked_at_for_longest_leaves_memory_first(tmp_path: Path) -> None:
    async def test(setup: Setup) -> None:
        first, second = await setup.add(4), await setup.add(5)
        await setup.gallery.load(first.id)
        third = await setup.add(6)  # 15 Gaussians, 10 fit
        prepared = setup.renderer.prepared
        assert prepared == [4, 5, 6]
        await setup.gallery.load(third.id)
        await setup.gallery.load(first.id)
        assert prepared == [4, 5, 6]
        await setup.gallery.load(second.id)
        assert prepared == [4, 5, 6, 5]

    play(tmp_path, test, gaussians_in_memory=10)


def test_a_scene_larger_than_the_memory_is_shown_all_the_same(tmp_path: Path) -> None:
    async def test(setup: Setup) -> None:
        scene = await setup.add(100)
        assert len((await setup.gallery.load(scene.id))[1].prepared) == 100

    play(tmp_path, test, gaussians_in_memory=10)


def test_two_viewers_of_one_scene_wait_for_one_loading(tmp_path: Path) -> None:
    async def test(setup: Setup) -> None:
        scene = await setup.add(8)
        await setup.add(9)  # the first leaves memory
        loads = [asyncio.create_task(setup.gallery.load(scene.id)) for _ in range(3)]
        await asyncio.sleep(0)
        loads[0].cancel()  # who goes does not take it from the others
        shown = [await load for load in loads[1:]]
        assert shown[0][1] is shown[1][1]
        assert setup.renderer.prepared == [8, 9, 8]

    play(tmp_path, test, gaussians_in_memory=10)


def test_what_was_loaded_for_one_who_left_is_there_for_the_next(tmp_path: Path) -> None:
    async def test(setup: Setup) -> None:
        scene = await setup.add(8)
        await setup.add(9)  # the first leaves memory
        gone = asyncio.create_task(setup.gallery.load(scene.id))
        await setup.until(lambda: scene.id in setup.gallery._loading)
        gone.cancel()
        await setup.until(lambda: scene.id not in setup.gallery._loading)
        await setup.gallery.load(scene.id)
        assert setup.renderer.prepared == [8, 9, 8]

    play(tmp_path, test, gaussians_in_memory=10)


def test_a_scene_that_is_deleted_while_it_is_loaded_is_not_shown(tmp_path: Path) -> None:
    async def test(setup: Setup) -> None:
        scene = await setup.add(8)
        await setup.add(9)  # the first leaves memory
        setup.renderer.may_prepare.clear()
        load = asyncio.create_task(setup.gallery.load(scene.id))
        await asyncio.sleep(0)
        await setup.gallery.delete(scene.id)
        setup.renderer.may_prepare.set()
        with pytest.raises(LookupError):
            await load

    play(tmp_path, test, gaussians_in_memory=10)


def test_a_scene_whose_file_is_damaged_is_a_sentence(tmp_path: Path) -> None:
    async def test(setup: Setup) -> None:
        scene = await setup.add(8)
        await setup.add(9)
        (await setup.gallery.ply_path(scene.id)).write_bytes(b"ply\n")
        with pytest.raises(LookupError, match="damaged"):
            await setup.gallery.load(scene.id)

    play(tmp_path, test, gaussians_in_memory=10)


def test_a_deleted_scene_takes_no_memory(tmp_path: Path) -> None:
    async def test(setup: Setup) -> None:
        first, second = await setup.add(4), await setup.add(5)
        await setup.gallery.delete(second.id)
        await setup.add(6)  # fits, beside the first
        await setup.gallery.load(first.id)
        assert setup.renderer.prepared == [4, 5, 6]

    play(tmp_path, test, gaussians_in_memory=10)


def test_a_renewed_scene_comes_first(tmp_path: Path) -> None:
    async def test(setup: Setup) -> None:
        old, new = await setup.add(), await setup.add()
        renewed = await setup.gallery.renew(old.id)
        assert [scene.id for scene in setup.gallery.scenes()] == [old.id, new.id]
        assert setup.gallery.scenes()[0] == renewed
        assert setup.changes == [0, 1, 2, 2]
        await setup.gallery.delete(old.id)
        with pytest.raises(LookupError):
            await setup.gallery.renew(old.id)

    play(tmp_path, test)

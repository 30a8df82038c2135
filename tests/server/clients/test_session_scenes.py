"""Which scene a session shows, against a client in memory."""

from __future__ import annotations

from tests.server.clients.session_client import HELLO, Client, FakeGallery, play, scene

from sharp_xr_protocol.messages import (
    Bye,
    Ping,
    Pong,
    Problem,
    SceneList,
    SceneReady,
    SceneSelect,
)


def test_without_scenes_nothing_is_shown() -> None:
    async def test() -> None:
        client = Client(FakeGallery())
        client.say(HELLO, Ping(1))
        await client.until(Pong)
        assert client.video.shown == []
        client.say(Bye("done"))
        await client.ended()

    play(test)


def test_a_chosen_scene_is_announced_before_it_is_drawn() -> None:
    async def test() -> None:
        client = Client()
        await client.welcomed()
        client.say(SceneSelect("old"))
        assert (await client.until(SceneReady, 2)).scene.id == "old"
        assert client.video.shown == ["new", "old"]
        client.say(Bye(""))
        await client.ended()

    play(test)


def test_an_unknown_scene_is_a_problem_and_the_session_goes_on() -> None:
    async def test() -> None:
        client = Client()
        await client.welcomed()
        client.say(SceneSelect("../../etc/passwd"))
        assert (await client.until(Problem)).message == "there is no such scene"
        assert client.video.shown == ["new"]
        client.say(SceneSelect("old"))
        await client.until(SceneReady, 2)
        client.say(Bye(""))
        await client.ended()

    play(test)


def test_a_deleted_scene_gives_way_to_the_newest() -> None:
    async def test() -> None:
        client = Client()
        await client.welcomed()
        client.gallery.ids.remove("new")
        client.session.scenes_changed()
        assert (await client.until(SceneReady, 2)).scene.id == "old"
        assert client.video.shown == ["new", None, "old"]
        assert [s.id for s in (await client.until(SceneList, 2)).scenes] == ["old"]
        client.say(Bye(""))
        await client.ended()

    play(test)


def test_a_scene_whose_camera_is_corrected_is_shown_anew_to_whom_sees_it() -> None:
    async def test() -> None:
        client = Client()
        await client.welcomed()
        client.gallery.fov = 0.5
        client.session.scenes_changed()
        ready = await client.until(SceneReady, 2)
        assert ready.scene == scene("new", 0.5)
        assert client.video.shown == ["new", "new"]
        client.session.scenes_changed()  # nothing about the camera
        client.say(Ping(1))
        await client.until(Pong)
        assert client.video.shown == ["new", "new"]
        client.say(Bye(""))
        await client.ended()

    play(test)


def test_a_corrected_camera_pulls_nobody_back_who_is_on_the_way_elsewhere() -> None:
    async def test() -> None:
        client = Client()
        await client.welcomed()
        client.gallery.may_load.clear()
        client.say(SceneSelect("old"), Ping(1))
        await client.until(Pong)
        client.gallery.fov = 0.5
        client.session.scenes_changed()
        client.gallery.may_load.set()
        assert (await client.until(SceneReady, 2)).scene.id == "old"
        client.say(Ping(2))
        await client.until(Pong, 2)
        assert client.video.shown == ["new", "old"]
        client.say(Bye(""))
        await client.ended()

    play(test)


def test_a_new_scene_is_announced_but_not_forced_on_anybody() -> None:
    async def test() -> None:
        client = Client()
        await client.welcomed()
        client.gallery.ids.insert(0, "newest")
        client.session.scenes_changed()
        assert (await client.until(SceneList, 2)).scenes[0].id == "newest"
        client.say(Ping(1))
        await client.until(Pong)
        assert client.video.shown == ["new"]
        client.say(Bye(""))
        await client.ended()

    play(test)

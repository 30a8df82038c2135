"""What a display's thread gives the network."""

import asyncio
import threading
from typing import cast

import pytest

from sharp_xr_client.connection import Connection
from sharp_xr_client.outbox import MAX_REPORTS, Outbox
from sharp_xr_client.simulated import eyes
from sharp_xr_protocol.geometry import Fov, Pose
from sharp_xr_protocol.messages import (
    DisplayTimes,
    FromClient,
    Report,
    Scene,
    SceneSelect,
    Tracking,
    Video,
    Welcome,
)


class Wire:
    """A connection that keeps what it is given, and may stand still."""

    def __init__(self) -> None:
        self.sent: list[FromClient] = []
        self.open = asyncio.Event()
        self.open.set()
        self.scenes = [scene("a"), scene("b")]
        self.scene = self.scenes[0]
        self.welcome: Welcome | None = None

    async def send(self, message: FromClient) -> None:
        await self.open.wait()
        self.sent.append(message)


def scene(name: str) -> Scene:
    return Scene(name, name, 0.0, 1, "test", Fov.symmetric(1.0, 1.0), 2.0)


def pose(key: int) -> Tracking:
    return Tracking(key, key, Pose(), eyes())


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def sending(outbox: Outbox, wire: Wire) -> asyncio.Task[None]:
    task = asyncio.create_task(outbox.send_all(cast(Connection, wire)))
    await settle()
    return task


def test_a_network_that_stands_still_gets_the_newest_pose_and_the_reports() -> None:
    async def run() -> list[FromClient]:
        outbox, wire = Outbox(), Wire()
        task = await sending(outbox, wire)
        wire.open.clear()
        outbox.track(pose(1))
        await settle()
        for key in (2, 3, 4):
            outbox.track(pose(key))
            outbox.tell(Report(key, 1.0))
        await settle()
        wire.open.set()
        await settle()
        task.cancel()
        return wire.sent

    reports = [Report(key, 1.0) for key in (2, 3, 4)]
    assert asyncio.run(run()) == [pose(1), *reports, pose(4)]


@pytest.mark.parametrize("capabilities", [[], ["display_times"]])
def test_only_a_server_that_wants_them_is_told_the_display_s_times(capabilities: list[str]) -> None:
    times = DisplayTimes(72.0, 30.0, 42.0, 34.25, 9.0, 0.25, 0.75, 0.5, 0.125, 2)

    async def run() -> list[FromClient]:
        outbox, wire = Outbox(), Wire()
        wire.welcome = Welcome(
            "test", "s", "straw", "lite", Video(64, 64, 60.0), capabilities=capabilities
        )
        task = await sending(outbox, wire)
        outbox.tell(times)
        outbox.tell(Report(1, 1.0))
        await settle()
        task.cancel()
        return wire.sent

    told = [times] if capabilities else []
    assert asyncio.run(run()) == [*told, Report(1, 1.0)]


def test_reports_do_not_pile_up() -> None:
    async def run() -> list[FromClient]:
        outbox, wire = Outbox(), Wire()
        task = await sending(outbox, wire)
        for key in range(3 * MAX_REPORTS):
            outbox.tell(Report(key, 1.0))
        await settle()
        task.cancel()
        return wire.sent

    sent = asyncio.run(run())
    assert [report.key for report in sent if isinstance(report, Report)] == list(
        range(2 * MAX_REPORTS, 3 * MAX_REPORTS)
    )


def test_a_new_session_gets_nothing_of_the_one_before() -> None:
    async def run() -> list[FromClient]:
        outbox, wire = Outbox(), Wire()
        outbox.track(pose(1))
        outbox.tell(Report(1, 1.0))
        task = await sending(outbox, wire)
        outbox.track(pose(2))
        await settle()
        task.cancel()
        return wire.sent

    assert asyncio.run(run()) == [pose(2)]


def test_another_thread_may_fill_it_even_when_the_loop_is_closed() -> None:
    async def run() -> tuple[Outbox, list[FromClient]]:
        outbox, wire = Outbox(), Wire()
        task = await sending(outbox, wire)
        thread = threading.Thread(target=outbox.track, args=(pose(7),))
        thread.start()
        await asyncio.to_thread(thread.join)
        await settle()
        task.cancel()
        return outbox, wire.sent

    outbox, sent = asyncio.run(run())
    assert sent == [pose(7)]
    outbox.track(pose(8))


def test_a_step_becomes_the_scene_that_is_there_when_it_is_sent() -> None:
    async def run() -> list[FromClient]:
        outbox, wire = Outbox(), Wire()
        task = await sending(outbox, wire)
        outbox.step(1)
        await settle()
        wire.scenes = wire.scenes[:1]
        outbox.step(1)  # there is no other any more
        await settle()
        task.cancel()
        return wire.sent

    assert asyncio.run(run()) == [SceneSelect("b")]

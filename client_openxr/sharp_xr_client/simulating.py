"""A run without a headset: a scripted or recorded head before one server."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Sequence

from sharp_xr_client.address import Address
from sharp_xr_client.connection import Connection, connect
from sharp_xr_client.motion import motion
from sharp_xr_client.options import Options, agent
from sharp_xr_client.problem import ClientError
from sharp_xr_client.quality import capabilities_for, tell
from sharp_xr_client.recording import Recorder
from sharp_xr_client.replay import read_poses
from sharp_xr_client.report import SessionLog
from sharp_xr_client.scenes import select_scene
from sharp_xr_client.simulated import Viewer
from sharp_xr_client.snapshot import snapshot, write_png
from sharp_xr_protocol.messages import Hello, Tracking

WARPS = ("depth", "overscan")
"""What a client that warps asks of a server."""
SECONDS = 10.0
"""Where nothing else is said."""


async def simulate(options: Options, address: Address, log: SessionLog) -> None:
    """Watch, and fill the log.

    Raises:
        ClientError: the session ended early, or no frame came.
    """
    poses = read_poses(options.replay) if options.replay else []
    recorder = Recorder(options.record) if options.record else None
    viewer = Viewer(options.simulated_display().refresh_hz, log, recorder, warps=options.warp)
    try:
        capabilities = [*capabilities_for(options.quality), *(WARPS if options.warp else ())]
        hello = Hello(agent(), "simulated", options.simulated_display(), capabilities=capabilities)
        async with connect(address, hello, viewer) as server:
            log.counts = server.counts
            await tell(server, options.quality)
            try:
                await _view(options, server, viewer, poses)
            finally:
                best = server.clock.best
                log.round_trip_ms = best.round_trip_ns / 1e6 if best else None
            if not log.frames:
                raise ClientError(why_no_frame(server, address))
        if options.picture:
            await asyncio.to_thread(_write_picture, options, viewer, log)
    finally:
        if recorder is not None:
            await asyncio.to_thread(recorder.close)


def _write_picture(options: Options, viewer: Viewer, log: SessionLog) -> None:
    assert options.picture is not None
    if viewer.newest is None or not log.displayed:
        raise ClientError("frames came, but none was displayed: there is no picture to write")
    display = options.simulated_display()
    picture, tick = viewer.newest.frame.picture, log.displayed[-1]
    write_png(options.picture, snapshot(picture, tick, display.eye_width, display.eye_height))


async def _view(
    options: Options, server: Connection, viewer: Viewer, poses: Sequence[Tracking]
) -> None:
    scene = await select_scene(server, options.scene)
    if scene is None:
        print("the server has no scene yet: waiting for a photo", file=sys.stderr)
    if poses:
        work = viewer.replay(server, poses, options.seconds or math.inf)
    else:
        head = motion(options.motion, scene.focus_m) if scene else motion(options.motion)
        work = viewer.run(server, head, options.seconds or SECONDS)
    viewing = asyncio.ensure_future(work)
    try:
        await asyncio.wait({viewing, server.ended}, return_when=asyncio.FIRST_COMPLETED)
        if server.ended.done():
            server.ended.result()
        viewing.result()
    finally:
        viewing.cancel()
        await asyncio.gather(viewing, return_exceptions=True)


def why_no_frame(server: Connection, address: Address) -> str:
    """One sentence."""
    if not server.scenes:
        return f"the server has no scene to show: upload a photo first, at {address.page}"
    if server.scene is None:
        return "no frame came: the server has not got its scene ready; its log says more"
    if not server.counts.received:
        return "no packet of the video came: is UDP between this machine and the server blocked?"
    return "packets of the video came, but no frame of it could be decoded"

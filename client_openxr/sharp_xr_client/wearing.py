"""A run with a headset, from its display to its report."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Coroutine
from typing import Any

from sharp_xr_client.address import Address
from sharp_xr_client.follower import Follower
from sharp_xr_client.options import Options, agent
from sharp_xr_client.outbox import Outbox
from sharp_xr_client.problem import ClientError
from sharp_xr_client.quality import capabilities_for
from sharp_xr_client.recording import Recorder
from sharp_xr_client.report import SessionLog
from sharp_xr_client.simulating import why_no_frame
from sharp_xr_client.watching import CAPABILITIES, Watch
from sharp_xr_protocol.messages import Hello

KEPT = 1500
"""Poses and frames of a headset's session that its report is of: the last 20 seconds or so. Each
pose with its frame and header is some 10 KB."""
FIRST_FRAME_S = 30.0
"""How long the first frame may take where --seconds count from it."""


async def wear(options: Options, address: Address, log: SessionLog) -> None:
    """Show the stream until the person leaves, or --seconds are over; fill the log.

    Raises:
        ClientError: there was no headset, no server, or no frame within --seconds.
    """
    # Late: it needs OpenGL, and what --simulate does without.
    try:
        from sharp_xr_client.openxr.frames import State
        from sharp_xr_client.openxr.headset import Headset
    except (ImportError, AttributeError, OSError) as error:
        # AttributeError: where there is no libGL, its functions are looked up on None.
        raise ClientError(
            f"OpenXR or OpenGL cannot be loaded here ({error}): is a graphics driver installed? "
            "--simulate needs neither"
        ) from error

    if options.record_poses is None:
        log.kept = KEPT
    recorder = Recorder(options.record) if options.record else None
    state = State(
        *(Follower(log, recorder), Outbox()),
        wants_room=options.room,
        wants_panel=options.panel,
        undecodable=lambda: log.counts.undecodable_frames,
        say=_say,
    )
    headset = Headset(state, options.eye_size, options.hz, _say)
    try:
        capabilities = [*CAPABILITIES, *capabilities_for(options.quality)]
        hello = Hello(agent(), "headset", await headset.display, capabilities=capabilities)
        watch = Watch(
            *(address, hello, state.follower, state.outbox, log, _say),
            scene=options.scene,
            quality=options.quality,
        )
        state.scene_of = watch.scene_of
        await _until_first(headset.ended, watch.run(), _over(options.seconds, log))
        if options.seconds is not None and not log.frames:
            server = watch.connection
            raise ClientError(why_no_frame(server, address) if server else "no frame came")
    finally:
        await headset.close()
        log.display = state.timing.figures()
        if recorder is not None:
            await asyncio.to_thread(recorder.close)
    headset.ended.result()


async def _until_first(ended: asyncio.Future[None], *works: Coroutine[Any, Any, None]) -> None:
    """Until one of them ends, with its error; the works are cancelled then."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait({ended, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _over(seconds: float | None, log: SessionLog) -> None:
    """So many after the first frame; never, without."""
    if seconds is None:
        await asyncio.Event().wait()
        return
    give_up = time.monotonic() + FIRST_FRAME_S
    while not log.frames and time.monotonic() < give_up:  # noqa: ASYNC110 (the log wakes nobody)
        await asyncio.sleep(0.02)
    if log.frames:
        await asyncio.sleep(seconds)


def _say(sentence: str) -> None:
    print(f"sharp-xr-client: {sentence}", file=sys.stderr, flush=True)

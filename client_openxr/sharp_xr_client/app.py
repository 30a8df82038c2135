"""One run of the client, from its options to its exit code."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated

import tyro

from sharp_xr_client.address import Address, parse_address
from sharp_xr_client.connection import Connection, connect
from sharp_xr_client.follower import Follower
from sharp_xr_client.motion import MotionName, motion
from sharp_xr_client.outbox import Outbox
from sharp_xr_client.problem import ClientError
from sharp_xr_client.quality import Wish, capabilities_for, tell
from sharp_xr_client.recording import Recorder, write_poses
from sharp_xr_client.report import SessionLog, figures, table
from sharp_xr_client.scenes import select_scene
from sharp_xr_client.simulated import Viewer
from sharp_xr_client.watching import CAPABILITIES, Watch
from sharp_xr_protocol.messages import Display, Hello

KEPT = 5000
"""Poses and frames of a headset's session that its report is of: the last minute or so."""

Flag = tyro.conf.FlagCreatePairsOff[bool]


@dataclass(frozen=True)
class Options:
    """See a photo as a place: the client of a sharp-xr server."""

    server: tyro.conf.Positional[str]
    """Address: ws://host:port/session, the page's http://host:port/?token=..., or host:port; with
    wss and https over TLS."""
    token: str | None = None
    """What the server printed, if it listens on a network."""
    fingerprint: Annotated[str | None, tyro.conf.arg(metavar="SHA256")] = None
    """Of the server's certificate, as it printed it: trust this one and no other. Without it an
    authority must vouch for the server."""
    simulate: Flag = False
    """Move a scripted head instead of a headset, and report. Nothing of OpenXR is needed."""
    motion: MotionName = "mixed"
    """What the scripted head does."""
    seconds: float | None = None
    """How long to watch; without it a headset until it is taken off, --simulate for 10 s from the
    first frame on."""
    hz: float = 60.0
    """Refresh rate of the simulated display; poses are sent at it."""
    eye_size: int | None = None
    """Pixels wanted per eye: of a headset's longer side at most (the runtime's own size without
    it), of --simulate each way (512); the server may give fewer."""
    quality: Wish = "auto"
    """Where server or network cannot do everything: more pixels (sharper), more frames (smoother),
    some of both (auto), or the whole size whatever it costs (full)."""
    scene: str | None = None
    """Id or name of the scene to see; the newest without it."""
    record: Annotated[Path | None, tyro.conf.arg(metavar="FILE.mp4")] = None
    """Write the stereo video as it came, left eye left. Not every player takes pictures that
    change their size: they keep it with --quality full."""
    record_poses: Annotated[Path | None, tyro.conf.arg(metavar="FILE.jsonl")] = None
    """Write each pose that was sent, with the number of its frame."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE.json")] = None
    """Write the report's figures."""


def run(options: Options) -> int:
    """Watch, then print the report. 0 if frames came to the end, 1 if not; stderr says why."""
    log = SessionLog(time.monotonic_ns())
    problem: ClientError | None = None
    try:
        address = parse_address(options.server, options.token, options.fingerprint)
        _check(options)
        if options.simulate:
            _run_in_loop(_watch(options, address, log))
        else:
            _run_in_loop(_wear(options, address, log))
    except (ClientError, RuntimeError) as error:
        problem = ClientError(str(error))
    except KeyboardInterrupt:
        # A headset without --seconds is left that way.
        if options.simulate or options.seconds is not None:
            problem = ClientError("stopped before the time was over")
    if log.frames:
        print(table(figures(log)))
    try:
        _write(options, log)
    except ClientError as error:
        problem = problem or error
    for sentence in dict.fromkeys([*log.problems, *([str(problem)] if problem else [])]):
        print(f"sharp-xr-client: {sentence}", file=sys.stderr)
    return 1 if problem else 0


def _check(options: Options) -> None:
    for name, value in (("seconds", options.seconds), ("hz", options.hz)):
        if value is not None and not 0 < value < 1e6:
            raise ClientError(f"--{name} {value:g}, wanted a positive number")
    try:
        _display(options)
    except ValueError as error:
        raise ClientError(str(error)) from error


def _display(options: Options) -> Display:
    side = 512 if options.eye_size is None else options.eye_size
    return Display(side, side, options.hz)


def _run_in_loop(work: Coroutine[None, None, None]) -> None:
    """On uvloop where there is one: it halves what receiving costs."""
    try:
        import uvloop
    except ModuleNotFoundError:
        asyncio.run(work)
    else:
        uvloop.run(work)


async def _watch(options: Options, address: Address, log: SessionLog) -> None:
    recorder = Recorder(options.record) if options.record else None
    viewer = Viewer(options.hz, log, recorder)
    try:
        capabilities = capabilities_for(options.quality)
        hello = Hello(_agent(), "simulated", _display(options), capabilities=capabilities)
        async with connect(address, hello, viewer) as server:
            log.counts = server.counts
            await tell(server, options.quality)
            try:
                await _view(options, server, viewer)
            finally:
                best = server.clock.best
                log.round_trip_ms = best.round_trip_ns / 1e6 if best else None
            if not log.frames:
                raise ClientError(_why_no_frame(server, address))
    finally:
        if recorder is not None:
            await asyncio.to_thread(recorder.close)


async def _wear(options: Options, address: Address, log: SessionLog) -> None:
    """A headset's session, until the person leaves."""
    # Late: it needs a screen or EGL, and what --simulate does without.
    from sharp_xr_client.openxr.frames import State
    from sharp_xr_client.openxr.headset import Headset

    if options.record_poses is None:
        log.kept = KEPT
    recorder = Recorder(options.record) if options.record else None
    state = State(Follower(log, recorder), Outbox())
    headset = Headset(state, options.eye_size, _say)
    try:
        display = await headset.display
        capabilities = [*CAPABILITIES, *capabilities_for(options.quality)]
        hello = Hello(_agent(), "headset", display, capabilities=capabilities)
        watch = Watch(
            *(address, hello, state.follower, state.outbox, log, _say),
            scene=options.scene,
            quality=options.quality,
        )
        watching = asyncio.ensure_future(watch.run())
        try:
            await asyncio.wait(
                {watching, headset.ended},
                timeout=options.seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if watching.done():
                watching.result()
        finally:
            headset.stop()
            await asyncio.wait([headset.ended])
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        headset.ended.result()
    finally:
        await headset.close()
        log.display = state.timing.figures()
        if recorder is not None:
            await asyncio.to_thread(recorder.close)
    if not log.frames:
        raise ClientError("no frame came" if watch.connections else "no server was found")


async def _view(options: Options, server: Connection, viewer: Viewer) -> None:
    scene = await select_scene(server, options.scene)
    if scene is None:
        print("the server has no scene yet: waiting for a photo", file=sys.stderr)
    head = motion(options.motion, scene.focus_m) if scene else motion(options.motion)
    viewing = asyncio.ensure_future(viewer.run(server, head, options.seconds or 10.0))
    try:
        await asyncio.wait({viewing, server.ended}, return_when=asyncio.FIRST_COMPLETED)
        if server.ended.done():
            server.ended.result()
        viewing.result()
    finally:
        viewing.cancel()
        await asyncio.gather(viewing, return_exceptions=True)


def _agent() -> str:
    return f"sharp-xr-client {metadata.version('sharp-xr')}"


def _say(sentence: str) -> None:
    print(f"sharp-xr-client: {sentence}", file=sys.stderr, flush=True)


def _why_no_frame(server: Connection, address: Address) -> str:
    if not server.scenes:
        return f"the server has no scene to show: upload a photo first, at {address.page}"
    if server.scene is None:
        return "no frame came: the server has not got its scene ready; its log says more"
    if not server.counts.received:
        return "no packet of the video came: is UDP between this machine and the server blocked?"
    return "packets of the video came, but no frame of it could be decoded"


def _write(options: Options, log: SessionLog) -> None:
    if options.record_poses:
        frame_of_key = {frame.key: number for number, frame in enumerate(log.frames)}
        write_poses(options.record_poses, log.poses, frame_of_key)
    if options.json:
        try:
            options.json.write_text(json.dumps(figures(log), indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            sentence = f"cannot write the report to {options.json}: {error.strerror}"
            raise ClientError(sentence) from error

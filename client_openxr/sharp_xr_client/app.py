"""One run of the client, from its options to its exit code."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections.abc import Coroutine

from sharp_xr_client import remembered
from sharp_xr_client.address import Address, parse_address
from sharp_xr_client.discovery import nearby
from sharp_xr_client.options import Options
from sharp_xr_client.pairing import paired
from sharp_xr_client.problem import ClientError
from sharp_xr_client.recording import write_poses
from sharp_xr_client.report import Figures, SessionLog, figures, table
from sharp_xr_client.simulating import simulate
from sharp_xr_client.wearing import wear
from sharp_xr_protocol.pairing import code_in


def run(options: Options) -> int:
    """Watch, then print the report. 0 if frames came to the end, 1 if not; stderr says why."""
    log = SessionLog(time.monotonic_ns())
    problem: ClientError | None = None
    try:
        options.check()
        _run_in_loop(_watch(options, log))
    except (ClientError, RuntimeError) as error:
        problem = ClientError(str(error))
    except (KeyboardInterrupt, asyncio.CancelledError):
        # By Ctrl-C or SIGTERM; a headset without --seconds is left that way.
        if options.simulate or options.seconds is not None:
            problem = ClientError("stopped before the time was over")
    found = figures(log)
    if log.frames:
        print(table(found))
    try:
        _write(options, log, found)
    except ClientError as error:
        problem = problem or error
    for sentence in dict.fromkeys([*log.problems, *([str(problem)] if problem else [])]):
        print(f"sharp-xr-client: {sentence}", file=sys.stderr)
    return 1 if problem else 0


async def _watch(options: Options, log: SessionLog) -> None:
    this = asyncio.current_task()
    assert this is not None
    with contextlib.suppress(NotImplementedError):  # Windows has no SIGTERM that could be heard
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    address = await _address(options)
    await (simulate if options.simulate else wear)(options, address, log)


async def _address(options: Options) -> Address:
    """Of the server, with what lets us in. Raises ClientError."""
    if options.server is None:
        code = options.pair
        address = await nearby(code)
    else:
        code = options.pair or code_in(options.server)
        address = parse_address(options.server, options.token, options.fingerprint)
        if code is not None:
            address = await paired(address, code)
    if code is None:
        return remembered.completed(address)
    remembered.keep(address)
    return address


def _run_in_loop(work: Coroutine[None, None, None]) -> None:
    """On uvloop where there is one: it halves what receiving costs."""
    try:
        import uvloop
    except ModuleNotFoundError:
        asyncio.run(work)
    else:
        uvloop.run(work)


def _write(options: Options, log: SessionLog, found: Figures) -> None:
    if options.record_poses:
        frame_of_key = {frame.key: number for number, frame in enumerate(log.frames)}
        write_poses(options.record_poses, log.poses, frame_of_key)
    if options.json:
        try:
            options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            sentence = f"cannot write the report to {options.json}: {error.strerror}"
            raise ClientError(sentence) from error

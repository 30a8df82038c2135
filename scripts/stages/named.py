"""The product's commands with their threads' names told to Linux, and two stages timed inside.

    python -m scripts.stages.named server FILE ARGUMENTS...   as sharp-xr
    python -m scripts.stages.named client FILE ARGUMENTS...   as sharp-xr-client

At the end FILE has {stage: mean processor seconds of a frame} for the stages that share a thread
with others: "yuv" (render thread), "packets" (the server's event loop), "receive" (the client's).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from scripts.stages.threads import name_threads

times_s: dict[str, tuple[float, int]] = {}
"""By stage: processor seconds of the thread, and how many frames they were for."""


def note(stage: str, spent_s: float, frames: int = 1) -> None:
    before_s, count = times_s.get(stage, (0.0, 0))
    times_s[stage] = (before_s + spent_s, count + frames)


def timed(stage: str, function: Callable[..., Any], frames: int = 1) -> Callable[..., Any]:
    def run(*args: Any, **options: Any) -> Any:
        began_s = time.thread_time()
        result = function(*args, **options)
        note(stage, time.thread_time() - began_s, frames)
        return result

    return run


def timed_coroutine(
    stage: str, function: Callable[..., Awaitable[Any]]
) -> Callable[..., Awaitable[Any]]:
    """Up to 32 packets a frame nothing in there waits, so that nobody else's time is in it."""

    async def run(*args: Any, **options: Any) -> Any:
        began_s = time.thread_time()
        result = await function(*args, **options)
        note(stage, time.thread_time() - began_s)
        return result

    return run


def serve(arguments: list[str]) -> int:
    from sharp_xr import cli
    from sharp_xr.stream import loop, sender
    from sharp_xr.stream.colour import write_frame

    setattr(loop, "write_frame", timed("yuv", write_frame))  # noqa: B010 (a module's name)
    push = timed_coroutine("packets", sender.FrameSender.push)
    sender.FrameSender.push = push  # type: ignore[method-assign,assignment]
    return cli.run(arguments)


def watch(arguments: list[str]) -> int:
    from sharp_xr_client import cli, receiver
    from sharp_xr_client.decoder import Decoder

    video = receiver.VideoReceiver
    received = timed("receive", video._data_received, frames=0)
    video._data_received = received  # type: ignore[method-assign]
    Decoder.push = timed("receive", Decoder.push)  # type: ignore[method-assign]
    return cli.main(arguments)


def main() -> None:
    end, file, *arguments = sys.argv[1:]
    name_threads()
    try:
        code = (serve if end == "server" else watch)(arguments)
    finally:
        means = {stage: spent_s / max(count, 1) for stage, (spent_s, count) in times_s.items()}
        Path(file).write_text(json.dumps(means), encoding="utf-8")
    sys.exit(code)


if __name__ == "__main__":
    main()

"""Whose thread spends a processor's time: counted by Linux, which has to be told their names."""

from __future__ import annotations

import ctypes
import os
import threading
from pathlib import Path

PR_SET_NAME = 15
"""Of prctl(2). Threads that a library starts inherit the name: x264's are the encoder's."""
Kinds = tuple[tuple[str, str], ...]
"""(what names begin with, what such threads do), the first that fits counts."""


def name_threads() -> None:
    """Tell Linux the names of the threads that this process starts from now on."""
    libc, start = ctypes.CDLL(None), threading.Thread._bootstrap_inner  # type: ignore[attr-defined]

    def named(thread: threading.Thread) -> None:
        libc.prctl(PR_SET_NAME, thread.name[:15].encode(), 0, 0, 0)
        start(thread)

    threading.Thread._bootstrap_inner = named  # type: ignore[attr-defined]


def spent_s(pid: int, kinds: Kinds, main: str) -> dict[str, float]:
    """Processor seconds of a process so far, by kind; ``main`` is the first thread's."""
    tick = os.sysconf("SC_CLK_TCK")
    spent: dict[str, float] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            name, _, rest = (task / "stat").read_text().partition("(")[2].rpartition(")")
        except FileNotFoundError:  # ended meanwhile
            continue
        user, system = rest.split()[11:13]
        kind = main if task.name == str(pid) else _kind(name, kinds)
        spent[kind] = spent.get(kind, 0.0) + (int(user) + int(system)) / tick
    return spent


def _kind(name: str, kinds: Kinds) -> str:
    return next((kind for start, kind in kinds if name.startswith(start)), "others")

"""What a client's threads take of a processor, by name.

The client runs METER before its own code, which writes down each second what all of its threads
have had so far; :func:`taken` is what they took between two of these lines. Python's threads go by
their names, the others by those that their libraries gave them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

METER = """
import json, os, threading, time

def meter(path):
    with open(path, "w", buffering=1) as file:
        while True:
            names = {thread.native_id: thread.name for thread in threading.enumerate()}
            threads = []
            for number in os.listdir("/proc/self/task"):
                try:
                    base = f"/proc/self/task/{number}"
                    name = names.get(int(number)) or open(f"{base}/comm").read().strip()
                    took_ns = int(open(f"{base}/schedstat").read().split()[0])
                except OSError:
                    continue  # it has ended
                threads.append((int(number), name, took_ns))
            file.write(json.dumps({"at_ns": time.monotonic_ns(), "threads": threads}) + "\\n")
            time.sleep(1.0)

threading.Thread(target=meter, args=(%r,), name="meter", daemon=True).start()
"""

PARTS = {
    "MainThread": "network",
    "openxr": "display",
    "video-decoder": "decoding",
    "av:": "decoding",
    "llvmpipe": "drawing",
    "meter": "meter",
}
"""What a thread does, by the beginning of its name; "other" where none fits. Drawing is what a
headset's machine has a graphics chip for."""


def metered(path: Path) -> str:
    """Python for a client that keeps such a record there."""
    return METER % str(path)


def lines(path: Path) -> int:
    """How many there are so far."""
    return path.read_text().count("\n") if path.exists() else 0


@dataclass(frozen=True)
class Taken:
    """Processor time between two lines."""

    begin_ns: int
    end_ns: int
    """Of the client's monotonic clock, which its poses are stamped with."""
    by_part: dict[str, float]
    """Seconds."""


def taken(path: Path, first: int, last: int) -> Taken:
    """Between two lines of the record."""
    record = [json.loads(line) for line in path.read_text().splitlines()]
    begin, end = record[first], record[last]
    before = {number: took_ns for number, _, took_ns in begin["threads"]}
    found = dict.fromkeys([*PARTS.values(), "other"], 0.0)
    for number, name, took_ns in end["threads"]:
        found[part_of(name)] += (took_ns - before.get(number, 0)) / 1e9
    return Taken(begin["at_ns"], end["at_ns"], found)


def part_of(name: str) -> str:
    return next((part for start, part in PARTS.items() if name.startswith(start)), "other")

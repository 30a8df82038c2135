"""Processor time by thread, on a process whose threads are known."""

import subprocess
import sys
from pathlib import Path

from scripts.openxr.processor import lines, metered, part_of, taken

BUSY = """
import threading, time

def work(seconds):
    while time.thread_time() < seconds:
        sum(range(1000))

threads = [threading.Thread(target=work, args=(s,), name=n)
           for n, s in (("openxr", 1.0), ("video-decoder", 0.5), ("stranger", 0.25))]
for thread in threads:
    thread.start()
time.sleep(60)
"""


def test_each_part_has_what_its_threads_worked(tmp_path: Path) -> None:
    record = tmp_path / "threads.jsonl"
    code = metered(record) + BUSY
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        try:
            # Until all have worked: threads that have ended are not seen any more.
            last = -1
            while last < 0 or taken(record, 0, last).by_part["display"] < 0.3:
                assert process.poll() is None
                last = lines(record) - 1
        finally:
            process.kill()
    found = taken(record, 0, last)
    assert 0.3 <= found.by_part["display"] <= 1.1
    assert found.by_part["drawing"] == 0.0
    assert found.end_ns - found.begin_ns >= 0.9e9 * last


def test_threads_of_libraries_go_by_the_beginning_of_their_name() -> None:
    assert part_of("llvmpipe-3") == "drawing"
    assert part_of("av:h264:df0") == "decoding"
    assert part_of("libuv-worker") == "other"

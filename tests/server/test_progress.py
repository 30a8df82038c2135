"""The line that a command writes again and again."""

from __future__ import annotations

import os

import pytest

from sharp_xr.progress import ProgressLine, progress_words


def test_the_bar_grows_with_the_work() -> None:
    assert progress_words("draw", 0.0, "") == "draw [....................] 0 %"
    assert progress_words("draw", 0.52, "x") == "draw [##########..........] 52 %, x"
    assert progress_words("draw", 1.0, "") == "draw [####################] 100 %"


def test_a_line_is_written_over_and_never_wraps(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((40, 24)))
    line = ProgressLine("a.mp4")
    line.show("draw", 0.5, "picture 30 of 60")
    line.show("draw", 1.0, "picture 60 of 60")
    line.end("a.ply -> a.mp4")
    _, first, second, last = capsys.readouterr().err.split("\r\x1b[K")
    assert first.startswith("a.mp4: draw [##########..........] 50 %")
    assert len(first) == len(second) == 39
    assert last == "sharp-xr: a.ply -> a.mp4\n"


def test_what_is_no_terminal_gets_the_end_only(capsys: pytest.CaptureFixture[str]) -> None:
    line = ProgressLine("a.mp4")
    line.show("draw", 0.5)
    line.end("a.ply -> a.mp4")
    assert capsys.readouterr().err == "sharp-xr: a.ply -> a.mp4\n"

"""What a run tells: losses.jsonl, TensorBoard, sheets, and a line on the terminal.

losses.jsonl has a line per step and is cut back to the checkpoint when a run goes on, so it reads
as if it had never been cut off.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sharp_xr.progress import ProgressLine

LOSSES, BOARD = "losses.jsonl", "tensorboard"
BOARD_EVERY = 10
"""Steps between points of TensorBoard's curves."""


class Journal:
    """Of one run, held by the process that writes."""

    def __init__(self, out: Path, step: int, steps: int) -> None:
        """Goes on behind ``step`` of ``steps``.

        Raises:
            ModuleNotFoundError: there is no tensorboard.
        """
        from torch.utils.tensorboard import SummaryWriter

        out.mkdir(parents=True, exist_ok=True)
        self._out, self._steps = out, steps
        kept = read_losses(out)[:step]
        (out / LOSSES).write_text("".join(json.dumps(line) + "\n" for line in kept))
        self._losses = (out / LOSSES).open("a")
        self._board = SummaryWriter(out / BOARD, purge_step=step + 1)
        self._line = ProgressLine("train")
        self._started, self._first = time.monotonic(), step

    def tell(self, step: int, rate: float, values: dict[str, float]) -> None:
        """A step is done; ``step`` counts from 1."""
        self._losses.write(json.dumps({"step": step, "rate": rate, **values}) + "\n")
        self._losses.flush()
        if step % BOARD_EVERY == 0 or step == self._steps:
            board: Any = self._board
            board.add_scalar("rate", rate, step)
            for name, value in values.items():
                board.add_scalar(f"loss/{name}", value, step)
        seconds = (time.monotonic() - self._started) / (step - self._first)
        left = time.strftime("%-j d %H:%M", time.gmtime(seconds * (self._steps - step)))
        days, clock = left.split(" d ")
        detail = f"step {step}, loss {values['loss']:.4f}, {seconds:.2f} s a step, "
        detail += f"{int(days) - 1} d {clock} left" if int(days) > 1 else f"{clock} left"
        self._line.show("train", step / self._steps, detail)

    def show(self, step: int, sheet: NDArray[np.uint8]) -> None:
        """A sheet of samples."""
        folder = self._out / "sheets"
        folder.mkdir(exist_ok=True)
        Image.fromarray(sheet).save(folder / f"{step:07d}.png")
        board: Any = self._board
        board.add_image("samples", sheet, step, dataformats="HWC")

    def end(self, sentence: str) -> None:
        """No more comes."""
        self._losses.close()
        board: Any = self._board
        board.close()
        self._line.end(sentence)


def read_losses(out: Path) -> list[dict[str, float]]:
    """The lines of losses.jsonl; a last one that was cut off is left out."""
    return read_lines(out / LOSSES)


def read_lines(path: Path) -> list[dict[str, float]]:
    """A line of JSON each; a last one that was cut off is left out. None if there is no file."""
    if not path.exists():
        return []
    lines = []
    for line in path.read_text().splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            break
    return lines

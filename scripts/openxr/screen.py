"""The pixels of an Xvfb screen, from the file that ``Xvfb -fbdir`` keeps them in.

The file is in the format of xwd (X11/XWDFile.h): a header of 25 big-endian words, its name, a table
of colours of 12 bytes each, the rows.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HEADER = struct.Struct(">25I")


def read_screen(path: Path) -> NDArray[np.uint8]:
    """[H, W, 3] RGB, as it is at this moment."""
    data = path.read_bytes()
    words = HEADER.unpack_from(data)
    header_size, width, height, little_endian = words[0], words[4], words[5], words[7] == 0
    bits_per_pixel, row_bytes, colours = words[11], words[12], words[19]
    assert bits_per_pixel == 32, f"a screen of {bits_per_pixel} bits per pixel"
    start = header_size + 12 * colours
    rows = np.frombuffer(data, np.uint8, height * row_bytes, start).reshape(height, row_bytes)
    pixels = rows[:, : 4 * width].reshape(height, width, 4)
    return np.ascontiguousarray(pixels[..., 2::-1] if little_endian else pixels[..., 1:])

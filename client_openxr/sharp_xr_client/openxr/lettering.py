"""Small words as pixels, in the 5 x 7 dots of the first displays: a panel needs no font file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Columns from the left, each a byte whose lowest bit is the top dot.
DOTS = {
    "0": "3E5149453E",
    "1": "00427F4000",
    "2": "4261514946",
    "3": "2141454B31",
    "4": "1814127F10",
    "5": "2745454539",
    "6": "3C4A494930",
    "7": "0171090503",
    "8": "3649494936",
    "9": "064949291E",
    "A": "7E1111117E",
    "B": "7F49494936",
    "C": "3E41414122",
    "D": "7F4141221C",
    "E": "7F49494941",
    "F": "7F09090901",
    "G": "3E4149497A",
    "H": "7F0808087F",
    "I": "00417F4100",
    "J": "2040413F01",
    "K": "7F08142241",
    "L": "7F40404040",
    "M": "7F020C027F",
    "N": "7F0408107F",
    "O": "3E4141413E",
    "P": "7F09090906",
    "Q": "3E4151215E",
    "R": "7F09192946",
    "S": "4649494931",
    "T": "01017F0101",
    "U": "3F4040403F",
    "V": "1F2040201F",
    "W": "3F4038403F",
    "X": "6314081463",
    "Y": "0708700807",
    "Z": "6151494543",
    ".": "0060600000",
    ",": "0050300000",
    ":": "0036360000",
    "/": "2010080402",
    "%": "2313086462",
    "-": "0808080808",
    " ": "0000000000",
}
WIDTH, HEIGHT = 6, 10
"""Of a letter with the space around it, dots."""


def lettered(lines: Sequence[str], columns: int) -> NDArray[np.bool_]:
    """[10 lines, 6 columns]: where the dots are. What has no dots is a blank, what is too long is
    cut; small letters are written as capitals."""
    found = np.zeros((HEIGHT * len(lines), WIDTH * columns), np.bool_)
    for row, line in enumerate(lines):
        for column, letter in enumerate(line[:columns].upper()):
            dots = np.frombuffer(bytes.fromhex(DOTS.get(letter, DOTS[" "])), np.uint8)
            bits = np.unpackbits(dots[:, None], axis=1, bitorder="little").T[:7]  # [7, 5]
            top, left = HEIGHT * row + 1, WIDTH * column
            found[top : top + 7, left : left + 5] = bits
    return found

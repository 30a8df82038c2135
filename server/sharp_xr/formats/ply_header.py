"""The head of a PLY file: what the bytes after it are. Every field is a stranger's word.

    ply
    format binary_little_endian 1.0
    element vertex 1179648
    property float x
    ...
    end_header

(Greg Turk's format of 1994; Apple's and INRIA's splats are rows of floats in it.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

MAX_HEADER_BYTES = 64 << 10
MAX_ELEMENTS = 64
MAX_PROPERTIES = 512

_BYTE_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">"}
_TYPES = {
    "char": "i1",
    "uchar": "u1",
    "short": "i2",
    "ushort": "u2",
    "int": "i4",
    "uint": "u4",
    "float": "f4",
    "double": "f8",
    "int8": "i1",
    "uint8": "u1",
    "int16": "i2",
    "uint16": "u2",
    "int32": "i4",
    "uint32": "u4",
    "float32": "f4",
    "float64": "f8",
}


class PlyError(Exception):
    """The file is not a scene that we read; the message is one sentence for the user."""


@dataclass(frozen=True)
class Element:
    """One table of the file."""

    name: str
    count: int
    """Rows."""
    row: np.dtype[np.void]
    """What a row holds."""
    offset: int
    """Bytes from the file's start to the first row."""

    def read(self, file: BinaryIO, start: int, stop: int) -> NDArray[np.void]:
        """The rows from ``start`` to ``stop``."""
        file.seek(self.offset + start * self.row.itemsize)
        data = file.read((stop - start) * self.row.itemsize)
        if len(data) != (stop - start) * self.row.itemsize:
            raise PlyError(f"the PLY file is cut short in its {self.name} data: send it again")
        return np.frombuffer(data, self.row)


def read_header(file: BinaryIO) -> dict[str, Element]:
    """The tables whose place in the file is known: those before the first with a list in its rows.

    Raises:
        PlyError: not a PLY file, one of a form that we do not read, or one shorter than it says.
    """
    lines = _lines(file)
    order = _byte_order(lines)
    elements: dict[str, Element] = {}
    offset = file.tell()
    for name, count, properties in _tables(lines):
        if properties is None:  # a list: its rows differ in length
            break
        row = _row(name, properties, order)
        elements[name] = Element(name, count, row, offset)
        offset += count * row.itemsize
    _check_length(file, elements)
    return elements


def _lines(file: BinaryIO) -> list[list[str]]:
    """The words of each line; the file then stands behind the header."""
    if file.readline(16).strip() != b"ply":
        raise PlyError("this file is not a PLY file: its first line is not 'ply'")
    lines: list[list[str]] = []
    left = MAX_HEADER_BYTES
    while left > 0:
        line = file.readline(left)
        left -= len(line)
        words = line.decode("latin-1").split()
        if words == ["end_header"]:
            return lines
        if not line.endswith(b"\n"):
            break
        lines.append(words)
    raise PlyError(f"the PLY file has no end_header in its first {MAX_HEADER_BYTES >> 10} KB")


def _byte_order(lines: list[list[str]]) -> str:
    formats = [words[1] for words in lines if words[:1] == ["format"] and len(words) > 1]
    if formats == ["ascii"]:
        raise PlyError("this is a PLY file in text form, wanted a binary one: export it as binary")
    if len(formats) != 1 or formats[0] not in _BYTE_ORDERS:
        raise PlyError(f"the PLY file names the format {formats}, wanted binary_little_endian")
    return _BYTE_ORDERS[formats[0]]


Properties = list[tuple[str, str]]
"""(name, PLY type) of each."""


def _tables(lines: list[list[str]]) -> list[tuple[str, int, Properties | None]]:
    """(name, rows, properties) of each element; None in place of properties with a list."""
    tables: list[tuple[str, int, Properties | None]] = []
    for words in lines:
        match words:
            case ["element", name, count] if count.isdecimal() and len(count) < 12:
                tables.append((name, int(count), []))
            case ["property", "list", *_] if tables:
                tables[-1] = (*tables[-1][:2], None)
            case ["property", kind, name] if tables and kind in _TYPES:
                properties = tables[-1][2]
                if properties is not None:
                    properties.append((name, kind))
            case ["comment" | "obj_info" | "format", *_] | []:
                pass
            case _:
                raise PlyError(f"the PLY header has the line {' '.join(words)[:60]!r}, not PLY")
        if len(tables) > MAX_ELEMENTS or (tables and len(tables[-1][2] or ()) > MAX_PROPERTIES):
            raise PlyError(
                f"the PLY header has more than {MAX_ELEMENTS} elements "
                f"or {MAX_PROPERTIES} properties of one"
            )
    return tables


def _row(element: str, properties: Properties, order: str) -> np.dtype[np.void]:
    names = [name for name, _ in properties]
    if len(set(names)) != len(names):
        raise PlyError(f"the PLY header names a property of {element} twice")
    return np.dtype([(name, order + _TYPES[kind]) for name, kind in properties])


def _check_length(file: BinaryIO, elements: dict[str, Element]) -> None:
    """Before anything is read, so that a lying count takes no memory."""
    length = file.seek(0, 2)
    for element in elements.values():
        end = element.offset + element.count * element.row.itemsize
        if end > length:
            raise PlyError(
                f"the PLY file has {length} bytes, wanted {end} for its {element.count} rows of "
                f"{element.name}: it is cut short"
            )

"""What a checkpoint's table of contents says: each tensor's shape, type and place in the file.

Both formats are read into this, with every number checked against the file's true size, and one
mapping of the file then serves all tensors. Nothing is unpickled and nothing is copied, so a
hostile file can name no program to run and claim no memory that it does not bring.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sharp_xr.model import ModelError

MAX_TABLE_BYTES = 4 << 20
"""Of a table of contents; the released checkpoint's takes a quarter of a megabyte."""
MAX_TENSORS = 16_384
"""The released checkpoint has 1,038."""
MAX_DIMENSIONS = 8
ITEM_BYTES = {
    **dict.fromkeys(("float64", "int64", "uint64"), 8),
    **dict.fromkeys(("float32", "int32", "uint32"), 4),
    **dict.fromkeys(("float16", "bfloat16", "int16", "uint16"), 2),
    **dict.fromkeys(("int8", "uint8", "bool", "float8_e4m3fn", "float8_e5m2"), 1),
}
"""torch's names of the types that can be in a file; weights may be only some of them."""


class BadFile(ModelError):
    """The file is not what it says. The message has no subject: the opener puts the name there."""


@dataclass(frozen=True)
class Stored:
    """One tensor in a file."""

    dtype: str
    """torch's name of the type."""
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    """In items. Dense, but in any order of the axes: channels may be last."""
    position: int
    """Of its first byte in the file."""

    @property
    def count(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return self.count * ITEM_BYTES[self.dtype]

    @property
    def in_rows(self) -> bool:
        """Whether the last axis varies fastest, as in C."""
        return self.strides == row_strides(self.shape)


@dataclass(frozen=True)
class Table:
    """All tensors of a file, in its order, and what it says of itself."""

    format: str
    """"safetensors" or "pt"."""
    tensors: Mapping[str, Stored]
    metadata: Mapping[str, str] = field(default_factory=dict)


def row_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides, in items, of a tensor whose last axis varies fastest."""
    strides: list[int] = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


def checked_shape(key: str, shape: object) -> tuple[int, ...]:
    """The shape, if it is one.

    Raises:
        BadFile: it is no list of positive whole numbers, or of too many.
    """
    if not isinstance(shape, list | tuple) or len(shape) > MAX_DIMENSIONS:
        raise BadFile(f"gives {key!r:.80} no shape")
    # A bool is an int to Python, and a dimension to nobody.
    if not all(type(size) is int and size > 0 for size in shape):
        raise BadFile(f"gives {key!r:.80} a shape that is no list of positive numbers")
    return tuple(shape)


def check_apart(tensors: Iterable[tuple[str, Stored]]) -> None:
    """Each byte belongs to one tensor: a small file cannot become many large tensors.

    Raises:
        BadFile: two overlap.
    """
    end = 0
    last = ""
    for key, stored in sorted(tensors, key=lambda pair: pair[1].position):
        if stored.position < end:
            raise BadFile(f"stores {last!r:.80} and {key!r:.80} in the same bytes")
        end, last = stored.position + stored.size, key

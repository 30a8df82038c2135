"""Table of contents of a .safetensors file.

    8 bytes   length n of the header, little endian
    n bytes   JSON: {name: {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ...,
              "__metadata__": {name: text}}
    the rest  data; offsets count from its start and leave no gap

Source: https://github.com/huggingface/safetensors, section "Format" of its README.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sharp_xr.model.sharp.checkpoint.table import (
    MAX_TABLE_BYTES,
    MAX_TENSORS,
    BadFile,
    Stored,
    Table,
    checked_shape,
    row_strides,
)

DTYPES = {
    **{"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"},
    **{"I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8"},
    **{"U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool"},
    **{"F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2"},
}
LENGTH_BYTES = 8


def read_safetensors(path: Path) -> Table:
    """Reads the header.

    Raises:
        BadFile: it is cut off, or not what it says.
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
        if length > MAX_TABLE_BYTES:
            raise BadFile(
                f"has a table of contents of {length:,} bytes, at most {MAX_TABLE_BYTES:,}"
            )
        text = file.read(length)
    if len(text) < length:
        raise BadFile("is cut off in its table of contents")
    header = _parse(text)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise BadFile("has metadata that are no texts")
    if not header:
        raise BadFile("holds no tensors")
    if len(header) > MAX_TENSORS:
        raise BadFile(f"names {len(header):,} tensors, at most {MAX_TENSORS:,} are read")
    start = LENGTH_BYTES + length
    tensors = {key: _stored(key, entry, start) for key, entry in header.items()}
    _check_filled(tensors, start, size)
    return Table("safetensors", tensors, metadata)


def _parse(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        raise BadFile("has a table of contents that is no JSON") from error
    if not isinstance(header, dict):
        raise BadFile("has a table of contents that is no JSON object")
    return header


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise BadFile("names something twice in its table of contents")
    return result


def _stored(key: str, entry: object, start: int) -> Stored:
    if not isinstance(entry, dict):
        raise BadFile(f"says nothing of {key!r:.80}")
    name, offsets = entry.get("dtype"), entry.get("data_offsets")
    dtype = DTYPES.get(name) if isinstance(name, str) else None
    if dtype is None:
        raise BadFile(f"gives {key!r:.80} the unknown type {name!r:.20}")
    shape = checked_shape(key, entry.get("shape"))
    if not isinstance(offsets, list) or [type(o) for o in offsets] != [int, int] or offsets[0] < 0:
        raise BadFile(f"does not say where {key!r:.80} is")
    stored = Stored(dtype, shape, row_strides(shape), start + offsets[0])
    if offsets[1] - offsets[0] != stored.size:
        raise BadFile(
            f"gives {key!r:.80} {offsets[1] - offsets[0]:,} bytes, its shape wants {stored.size:,}"
        )
    return stored


def _check_filled(tensors: dict[str, Stored], start: int, size: int) -> None:
    """The data begin where the header ends, have no gap, no overlap, and end with the file."""
    end = start
    for key, stored in sorted(tensors.items(), key=lambda pair: pair[1].position):
        if stored.position != end:
            raise BadFile(f"has a gap or an overlap before {key!r:.80}")
        end += stored.size
    if end > size:
        raise BadFile(f"is cut off: it has {size:,} of {end:,} bytes")
    if end < size:
        raise BadFile(f"has {size - end:,} bytes that nobody asked for at its end")

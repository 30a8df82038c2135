"""Table of contents of a .pt file, as torch.save has written them since 2020: a ZIP archive.

    NAME/data.pkl    pickle of the state dict; see torch_pickle.py
    NAME/data/0 ...  one record of raw numbers for each storage, not compressed
    NAME/byteorder   "little"; missing in old ones

Source: "Serialized file format for torch.save" in torch's notes on serialization semantics.
"""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import BinaryIO

from sharp_xr.model.sharp.checkpoint.table import (
    ITEM_BYTES,
    MAX_TABLE_BYTES,
    MAX_TENSORS,
    BadFile,
    Stored,
    Table,
    check_apart,
    checked_shape,
    row_strides,
)
from sharp_xr.model.sharp.checkpoint.torch_pickle import PickledTensor, read_pickle

_ZIPFILE_STUMBLES = (ArithmeticError, EOFError, NotImplementedError, ValueError, struct.error)
"""What zipfile raises besides its own error where numbers in a directory make no sense."""
LOCAL_HEADER = struct.Struct("<4s22xHH")
"""In front of each record: signature, ..., lengths of its name and of its extra field."""


def read_torch(path: Path) -> Table:
    """Reads the archive's directory and the pickle.

    Raises:
        BadFile: it is cut off, hostile, or not what it says.
        OSError: it cannot be read.
    """
    with _BoundedFile(path) as file:
        try:
            archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, *_ZIPFILE_STUMBLES) as error:
            raise BadFile("is cut off or damaged: its directory is missing") from error
        records = _Records(archive, file, path.stat().st_size)
        pickled = read_pickle(records.read("data.pkl"))
        if records.has("byteorder") and records.read("byteorder") != b"little":
            raise BadFile("holds numbers in big-endian order, wanted little")
        if len(pickled) > MAX_TENSORS:
            raise BadFile(f"names {len(pickled):,} tensors, at most {MAX_TENSORS:,} are read")
        tensors = {key: _stored(key, tensor, records) for key, tensor in pickled.items()}
    check_apart(tensors.items())
    return Table("pt", tensors)


class _BoundedFile(io.FileIO):
    """A file that no one can be talked into reading whole: zipfile reads a directory at once."""

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > MAX_TABLE_BYTES:
            raise BadFile(f"has a directory of {size:,} bytes, at most {MAX_TABLE_BYTES:,}")
        return super().read(size) or b""


class _Records:
    """The archive's records: what is where, checked against the file's true size."""

    def __init__(self, archive: zipfile.ZipFile, file: BinaryIO | io.FileIO, size: int) -> None:
        self._file = file
        self._size = size
        self._found: dict[str, zipfile.ZipInfo] = {}
        for info in archive.infolist():
            if info.filename in self._found:
                raise BadFile(f"has two records named {info.filename!r:.80}")
            self._found[info.filename] = info
        pickles = [name for name in self._found if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise BadFile("is a ZIP archive, but none that torch.save wrote")
        self._root = pickles[0].removesuffix("data.pkl")

    def has(self, name: str) -> bool:
        """Whether there is such a record."""
        return self._root + name in self._found

    def find(self, name: str) -> tuple[int, int]:
        """Position of a record's first byte in the file, and its bytes."""
        info = self._found.get(self._root + name)
        if info is None:
            raise BadFile(f"lacks the record {name!r:.80}")
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise BadFile(f"has a compressed or encrypted record {name!r:.80}")
        if info.flag_bits & 1:
            raise BadFile(f"has a compressed or encrypted record {name!r:.80}")
        if not 0 <= info.header_offset <= self._size:
            raise BadFile(f"is cut off: the record {name!r:.80} lies after its end")
        self._file.seek(info.header_offset)
        header = self._file.read(LOCAL_HEADER.size)
        if len(header) < LOCAL_HEADER.size or not header.startswith(b"PK\3\4"):
            raise BadFile(f"has no record {name!r:.80} where its directory says")
        _, name_bytes, extra_bytes = LOCAL_HEADER.unpack(header)
        position = info.header_offset + LOCAL_HEADER.size + name_bytes + extra_bytes
        if position + info.file_size > self._size:
            raise BadFile(f"is cut off: the record {name!r:.80} goes on after its end")
        return position, info.file_size

    def read(self, name: str) -> bytes:
        """A small record."""
        position, size = self.find(name)
        self._file.seek(position)
        return self._file.read(size)


def _stored(key: str, tensor: PickledTensor, records: _Records) -> Stored:
    """The tensor's place in the file.

    Raises:
        BadFile: it claims more than its record has, or repeats numbers.
    """
    position, size = records.find(f"data/{tensor.storage.record}")
    shape = checked_shape(key, tensor.shape)
    strides, count = _dense_strides(key, shape, tensor.strides)
    offset = tensor.offset
    item = ITEM_BYTES[tensor.storage.dtype]
    if type(offset) is not int or offset < 0 or (offset + count) * item > size:
        raise BadFile(f"claims more numbers for {key!r:.80} than the {size // item:,} it has")
    return Stored(tensor.storage.dtype, shape, strides, position + offset * item)


def _dense_strides(
    key: str, shape: tuple[int, ...], strides: object
) -> tuple[tuple[int, ...], int]:
    """The strides, and how many numbers they reach.

    Raises:
        BadFile: they skip numbers or come to some twice.
    """
    if not isinstance(strides, tuple) or len(strides) != len(shape):
        raise BadFile(f"gives {key!r:.80} strides that do not fit its shape")
    if not all(type(stride) is int for stride in strides):
        raise BadFile(f"gives {key!r:.80} strides that are no numbers")
    # In the order of their strides, each axis must go on where the one inside it ends. That of an
    # axis of length 1 is never used, and may be anything.
    step = 1
    for stride, length in sorted(zip(strides, shape, strict=True)):
        if length > 1 and stride != step:
            raise BadFile(f"stores {key!r:.80} with gaps or repetitions, wanted a dense tensor")
        step *= length
    rows = row_strides(shape)
    used = zip(strides, rows, shape, strict=True)
    return tuple(row if length == 1 else stride for stride, row, length in used), step

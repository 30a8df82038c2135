"""A checkpoint that is open: its tensors come from a mapping of the file, on demand."""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import torch
from torch import Tensor

from sharp_xr.model import ModelError
from sharp_xr.model.sharp.checkpoint.safetensors_table import read_safetensors
from sharp_xr.model.sharp.checkpoint.table import ITEM_BYTES, BadFile, Stored, Table
from sharp_xr.model.sharp.checkpoint.torch_table import read_torch
from sharp_xr.model.sharp.config import SharpConfig, config_of

CONFIG_KEY = "sharp_xr_config"
"""Under which our files say their sizes, as JSON."""
UNTOLD = ("vit_heads", "hooks", "gaussian_groups", "alignment_groups")
"""What no tensor's shape tells; the rest of a written configuration must agree with the shapes."""
CHUNK_BYTES = 8 << 20
DTYPES: dict[str, torch.dtype] = {name: getattr(torch, name) for name in ITEM_BYTES}

KINDS = {
    b"\xff\xd8\xff": "a JPEG picture",
    b"\x89PNG": "a PNG picture",
    b"RIFF": "a WebP picture or a film",
    b"ply": "a .ply scene",
    b"version https://git-lfs": "a pointer of Git LFS to the file, not the file",
    b"\x80\x02": "a pickle; torch files before 2020 were: save it again with a current torch",
    b"\x1f\x8b": "a gzip archive",
}
"""What people mistake for weights, by its first bytes."""


class Checkpoint:
    """Weights in a file. As long as a tensor is in use, the file stays mapped.

    Raises:
        ModelError: from all methods, one sentence for the user.
    """

    def __init__(self, path: Path, table: Table) -> None:
        self.path = path
        self.table = table
        self._identity = _identity(os.stat(path))
        self._mapped: mmap.mmap | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the file; tensors that were taken stay valid, a later one maps it again."""
        self._mapped = None

    @property
    def metadata(self) -> dict[str, str]:
        """What the file says of itself; a .pt says nothing."""
        return dict(self.table.metadata)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Each key's shape, without reading the data."""
        return {key: stored.shape for key, stored in self.table.tensors.items()}

    def config(self) -> SharpConfig:
        """The sizes of the network that the weights are of.

        From the metadata if our converter wrote the file; else from the shapes, and what they do
        not tell is as in the released network.
        """
        try:
            told = config_of(self.shapes())
        except (TypeError, ValueError, ZeroDivisionError) as error:
            raise ModelError(f"{self.path} has shapes that no SHARP network has") from error
        except ModelError as error:
            raise ModelError(f"{self.path}: {error}") from error
        written = self.table.metadata.get(CONFIG_KEY)
        if written is None:
            return told
        try:
            return _read_config(written, told)
        except ModelError as error:
            raise ModelError(f"{self.path}: {error}") from error

    def tensor(self, key: str) -> Tensor:
        """One tensor, float32; mapped, not copied, if the file has it so.

        Writing into it does not change the file.
        """
        stored = self._stored(key)
        flat = torch.frombuffer(
            self._mapping(), dtype=DTYPES[stored.dtype], count=stored.count, offset=stored.position
        )
        if stored.position % flat.element_size():  # some kernels want aligned numbers
            flat = flat.clone()
        return flat.as_strided(stored.shape, stored.strides).float()

    def chunks(self, key: str) -> Iterator[Tensor]:
        """The numbers of one tensor, row by row, in pieces of at most 8 MB, as they are stored.

        Read, not mapped: what goes through a file once should not stay in memory.
        """
        stored = self._stored(key)
        if not stored.in_rows:
            whole = self.tensor(key).to(DTYPES[stored.dtype]).flatten()
            yield from torch.split(whole, CHUNK_BYTES // whole.element_size())
            return
        with _readable(self.path), self.path.open("rb", buffering=0) as file:
            self._check_same(file)
            file.seek(stored.position)
            for start in range(0, stored.size, CHUNK_BYTES):
                data = bytearray(min(CHUNK_BYTES, stored.size - start))
                if file.readinto(data) != len(data):
                    raise ModelError(f"{self.path} became shorter while it was read")
                yield torch.frombuffer(data, dtype=DTYPES[stored.dtype])

    def _stored(self, key: str) -> Stored:
        stored = self.table.tensors.get(key)
        if stored is None:
            raise ModelError(f"{self.path} has no weights named {key!r:.80}")
        return stored

    def _mapping(self) -> mmap.mmap:
        if self._mapped is None:
            with _readable(self.path), self.path.open("rb") as file:
                self._check_same(file)
                # Copy on write: torch wants memory that it may write to.
                self._mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        return self._mapped

    def _check_same(self, file: IO[bytes]) -> None:
        """Or the table would be that of another file."""
        if _identity(os.fstat(file.fileno())) != self._identity:
            raise ModelError(f"{self.path} was changed since it was opened")


def open_checkpoint(path: Path) -> Checkpoint:
    """Opens weights; what the file is, its content says, not its name.

    Args:
        path: a .safetensors file, or a .pt that torch.save wrote of a flat state dict.

    Raises:
        ModelError: it cannot be read, is cut off, or is something else.
    """
    with _readable(path):
        if not path.is_file() and not path.is_dir() and path.exists():
            raise ModelError(f"{path} is a device or a pipe, wanted a file of weights")
        with path.open("rb") as file:
            start = file.read(512)
        try:
            if start.startswith(b"PK\3\4"):
                return Checkpoint(path, read_torch(path))
            if start[8:9] == b"{":
                return Checkpoint(path, read_safetensors(path))
            raise BadFile(f"is {_kind(start)}, wanted .safetensors or .pt weights")
        except BadFile as error:
            raise ModelError(f"{path} {error}") from error


def _identity(stat: os.stat_result) -> tuple[int, ...]:
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


class _readable:
    """Turns what the system says of a file into a sentence."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, FileNotFoundError):
            raise ModelError(f"there are no weights at {self.path}") from error
        if isinstance(error, IsADirectoryError):
            raise ModelError(f"{self.path} is a folder, wanted a file of weights") from error
        if isinstance(error, OSError):
            raise ModelError(f"{self.path} cannot be read: {error.strerror}") from error


def _kind(start: bytes) -> str:
    text = start.lstrip().lower()
    if not start:
        return "empty"
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page"
    if start[:4] == bytes(4) or not any(start):
        return "full of zeros"
    return next(
        (kind for magic, kind in KINDS.items() if start.startswith(magic)), "of an unknown kind"
    )


def written_config(config: SharpConfig) -> str:
    """JSON for the metadata."""
    return json.dumps(asdict(config))


def _read_config(text: str, told: SharpConfig) -> SharpConfig:
    """The written sizes, which must be those that the shapes tell.

    Raises:
        ModelError: they are not.
    """
    try:
        values: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"its {CONFIG_KEY} is no JSON") from error
    if not isinstance(values, dict) or set(values) != {field.name for field in fields(told)}:
        raise ModelError(f"its {CONFIG_KEY} does not name the sizes of a SHARP network")
    for name, value in values.items():
        wanted = getattr(told, name)
        if isinstance(wanted, tuple):
            numbers = isinstance(value, list) and len(value) == len(wanted)
            if not numbers or any(type(number) is not int for number in value):
                raise ModelError(f"its {CONFIG_KEY} gives {name} as {value!r:.40}")
            values[name] = tuple(value)
        elif type(value) is not int:
            raise ModelError(f"its {CONFIG_KEY} gives {name} as {value!r:.40}")
    untold = {name: values[name] for name in UNTOLD}
    if min(untold["vit_heads"], untold["gaussian_groups"], untold["alignment_groups"]) < 1:
        raise ModelError(f"its {CONFIG_KEY} has sizes below 1")
    config = replace(told, **untold)
    if config != SharpConfig(**values):
        raise ModelError(f"its {CONFIG_KEY} contradicts the shapes of its tensors")
    return config

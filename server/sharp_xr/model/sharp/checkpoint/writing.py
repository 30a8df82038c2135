"""Our own kind of checkpoint: .safetensors that says what network it is of and where it is from.

A file is written beside its place and moved there when it is whole, so nobody meets half of it.
Memory does not grow with the file.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from sharp_xr.model import ModelError
from sharp_xr.model.sharp.checkpoint.fit import check_fit
from sharp_xr.model.sharp.checkpoint.opened import (
    CHUNK_BYTES,
    CONFIG_KEY,
    open_checkpoint,
    written_config,
)
from sharp_xr.model.sharp.config import SharpConfig
from sharp_xr.model.sharp.network import SharpNetwork

ALIGNMENT = 64
"""Bytes; the data begin at a multiple, so that mapped tensors are aligned to their numbers."""
CODES = {torch.float32: "F32", torch.bfloat16: "BF16"}
UNKNOWN_LICENCE = "unknown; whoever trained the weights says what may be done with them"

Shapes = Mapping[str, tuple[int, ...]]
Report = Callable[[int, int], None]
"""Told bytes done, and bytes in all."""


def nothing(done: int, total: int) -> None:
    """The report that nobody wants."""


def sha256_of(path: Path, report: Report = nothing) -> str:
    """Hexadecimal SHA-256 of a file.

    Raises:
        ModelError: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        total = path.stat().st_size
        with path.open("rb", buffering=0) as file:
            while data := file.read(CHUNK_BYTES):
                digest.update(data)
                report(file.tell(), total)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def convert(
    source: Path,
    target: Path,
    *,
    half: bool = False,
    config: SharpConfig | None = None,
    provenance: Mapping[str, str] | None = None,
    report: Report = nothing,
) -> str:
    """Writes a SHARP checkpoint as .safetensors.

    Args:
        source: a .pt or .safetensors file.
        target: replaced if it exists.
        half: store bfloat16, half as long; float32 numbers are rounded.
        config: in place of what the source says, where its shapes tell too little.
        provenance: metadata in place of what the source says, such as ``license``; a
            ``source_sha256`` in it is believed and not computed.
        report: told how far the writing is.

    Returns:
        SHA-256 of what was written.

    Raises:
        ModelError: the source is no SHARP checkpoint, or the target cannot be written.
    """
    with open_checkpoint(source) as checkpoint:
        config = config or checkpoint.config()
        check_fit(checkpoint, config)
        inherited = {"license": UNKNOWN_LICENCE, **checkpoint.metadata, **(provenance or {})}
        stored = {stored.dtype for stored in checkpoint.table.tensors.values()}
        rounded = half and stored != {"bfloat16"}
        changes = {
            "changes": "file format; values rounded to bfloat16" if rounded else "file format"
        }
        metadata = {
            **inherited,
            **(changes if rounded or "changes" not in inherited else {}),
            "source_sha256": inherited.get("source_sha256") or sha256_of(source),
            CONFIG_KEY: written_config(config),
        }
        dtype = torch.bfloat16 if half else torch.float32
        return _write(target, checkpoint.shapes(), checkpoint.chunks, metadata, dtype, report)


def save_network(network: SharpNetwork, target: Path, metadata: Mapping[str, str]) -> str:
    """Writes a network's weights as float32 .safetensors.

    Args:
        network: with all its weights.
        target: replaced if it exists.
        metadata: what the file should say of itself, ``license`` above all.

    Returns:
        SHA-256 of what was written.

    Raises:
        ModelError: the target cannot be written.
    """
    state: dict[str, Tensor] = network.state_dict()

    def chunks(key: str) -> Iterator[Tensor]:
        yield state[key].detach().cpu().flatten()

    shapes = {key: tuple(value.shape) for key, value in state.items()}
    said = {**metadata, CONFIG_KEY: written_config(network.config)}
    return _write(target, shapes, chunks, said, torch.float32, nothing)


def _write(
    target: Path,
    shapes: Shapes,
    chunks: Callable[[str], Iterator[Tensor]],
    metadata: Mapping[str, str],
    dtype: torch.dtype,
    report: Report,
) -> str:
    header, total = _header(shapes, dtype, metadata)
    _check_space(target, total)
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    digest = hashlib.sha256()
    try:
        with part.open("wb") as file:
            for data in _content(header, shapes, chunks, dtype):
                digest.update(data)
                file.write(data)
                report(file.tell(), total)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    except OSError as error:
        raise ModelError(f"{target} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return digest.hexdigest()


def _header(shapes: Shapes, dtype: torch.dtype, metadata: Mapping[str, str]) -> tuple[bytes, int]:
    """The file up to its data, and how long it will be."""
    # Readers of safetensors expect this word where the axes are in torch's order.
    header: dict[str, object] = {"__metadata__": {**metadata, "format": "pt"}}
    end = 0
    for key, shape in shapes.items():
        begin, end = end, end + torch.Size(shape).numel() * dtype.itemsize
        header[key] = {"dtype": CODES[dtype], "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    return len(text).to_bytes(8, "little") + text, 8 + len(text) + end


def _content(
    header: bytes, shapes: Shapes, chunks: Callable[[str], Iterator[Tensor]], dtype: torch.dtype
) -> Iterator[bytes | memoryview]:
    yield header
    for key in shapes:
        for chunk in chunks(key):
            yield chunk.to(dtype).contiguous().view(torch.uint8).numpy().data


def _check_space(target: Path, wanted: int) -> None:
    folder = target.parent
    if not folder.is_dir():
        raise ModelError(f"there is no folder {folder} to write weights into")
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise ModelError(
            f"{folder} has {free / 1e6:,.0f} MB left, {target.name} wants {wanted / 1e6:,.0f} MB"
        )

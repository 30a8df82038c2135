"""Small files of weights for these tests, good ones and the parts of bad ones."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sharp_xr.model.sharp.config import TINY
from sharp_xr.model.sharp.network import SharpNetwork


@cache
def tiny_network() -> SharpNetwork:
    """With random weights, none of them zero."""
    torch.manual_seed(0)
    network = SharpNetwork(TINY)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0.0, 0.1)
    return network


def tiny_state() -> dict[str, Tensor]:
    """Its weights: tests may change the dictionary, not the tensors."""
    return dict(tiny_network().state_dict())


def save_pt(path: Path, state: object) -> Path:
    """As the released checkpoint was saved."""
    torch.save(state, path)
    return path


def raw_safetensors(header: object, data: bytes = b"") -> bytes:
    """A file by the format's description, honest or not."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(shape: list[Any], begin: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    """What a header says of a tensor."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def zipped(path: Path, pickled: bytes, records: Mapping[str, bytes], **options: Any) -> Path:
    """A torch archive with a pickle of our own making."""
    with zipfile.ZipFile(path, "w", **options) as archive:
        archive.writestr("archive/data.pkl", pickled)
        for name, data in records.items():
            archive.writestr(f"archive/data/{name}", data)
    return path

"""What a file of SHARP weights is, and whether it is sound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from sharp_xr.model import ModelError
from sharp_xr.model.sharp.checkpoint import Checkpoint, check_fit, open_checkpoint, sha256_of
from sharp_xr.model.sharp.config import SharpConfig
from sharp_xr.model.sharp.released import RELEASES

NAMED = 3
"""Keys that a sentence names at most."""


@dataclass(frozen=True)
class Findings:
    """A sound file."""

    format: str
    tensors: int
    numbers: int
    dtypes: tuple[str, ...]
    config: SharpConfig
    sha256: str
    origin: str
    """What is known of where it is from."""
    licence: str


def verify(path: Path) -> Findings:
    """Reads all of it.

    Raises:
        ModelError: it is no SHARP checkpoint, does not fit, or holds what is no number; or it has
            the name of a published file, and another content.
    """
    with open_checkpoint(path) as checkpoint:
        config = checkpoint.config()
        check_fit(checkpoint, config)
        _check_finite(checkpoint)
        digest = sha256_of(path)
        origin, licence = _origin(checkpoint, digest)
        stored = checkpoint.table.tensors.values()
        return Findings(
            format=checkpoint.table.format,
            tensors=len(stored),
            numbers=sum(tensor.count for tensor in stored),
            dtypes=tuple(sorted({tensor.dtype for tensor in stored})),
            config=config,
            sha256=digest,
            origin=origin,
            licence=licence,
        )


def _check_finite(checkpoint: Checkpoint) -> None:
    bad = [
        key
        for key in checkpoint.shapes()
        if not all(bool(torch.isfinite(chunk).all()) for chunk in checkpoint.chunks(key))
    ]
    if bad:
        named = ", ".join(bad[:NAMED])
        more = ", ..." if len(bad) > NAMED else ""
        raise ModelError(
            f"{checkpoint.path} has infinities or NaNs in {len(bad):,} tensors ({named}{more})"
        )


def _origin(checkpoint: Checkpoint, digest: str) -> tuple[str, str]:
    """Where it is from and its licence."""
    metadata = checkpoint.metadata
    for release in RELEASES.values():
        licence = f"{release.licence}, {release.licence_url}"
        if digest == release.sha256:
            return "the published file", licence
        if checkpoint.path.name == release.file:
            raise ModelError(
                f"{checkpoint.path} has the name of the published file and the SHA-256 {digest}, "
                f"wanted {release.sha256}"
            )
        if metadata.get("source_sha256") == release.sha256:
            changes = metadata.get("changes", "unknown")
            return f"says it was made of the published file; changed: {changes}", licence
    return "unknown", metadata.get("license", "unknown")

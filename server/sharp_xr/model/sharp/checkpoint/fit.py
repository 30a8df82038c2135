"""Whether weights are those of a network, and the network with those weights."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch

from sharp_xr.model import ModelError
from sharp_xr.model.sharp.checkpoint.opened import Checkpoint, open_checkpoint
from sharp_xr.model.sharp.config import SharpConfig
from sharp_xr.model.sharp.network import SharpNetwork

WEIGHTS = ("float32", "bfloat16")
"""Types of numbers that weights may be stored in; both are computed with as float32."""
NAMED = 3
"""Keys that a sentence names at most."""
TENSORS_PER_BLOCK = 28
"""Of the two transformers' blocks of equal number."""


def load_network(path: Path) -> SharpNetwork:
    """The network of a checkpoint, of whatever size of the family, ready to predict.

    The weights are the file, mapped: nothing is copied but what is stored as bfloat16.

    Raises:
        ModelError: the file cannot be read or is not such a checkpoint.
    """
    with open_checkpoint(path) as checkpoint:
        config = checkpoint.config()
        check_fit(checkpoint, config)
        with torch.device("meta"):
            network = SharpNetwork(config)
        state = {key: checkpoint.tensor(key) for key in checkpoint.shapes()}
        network.load_state_dict(state, strict=True, assign=True)
    return network.eval().requires_grad_(False)


def check_fit(checkpoint: Checkpoint, config: SharpConfig) -> None:
    """Each tensor of the network is in the file, nothing else is, all have their shape and type.

    Raises:
        ModelError: one sentence that names some keys and counts all.
    """
    found = checkpoint.table.tensors
    if config.vit_depth * TENSORS_PER_BLOCK > len(found):  # or a name could order a huge network
        raise ModelError(
            f"{checkpoint.path} has {len(found):,} tensors, too few for {config.vit_depth:,} blocks"
        )
    try:
        wanted = expected_shapes(config)
    except ModelError as error:
        raise ModelError(f"{checkpoint.path}: {error}") from error
    common = [key for key in wanted if key in found]
    complaints = [
        _list("missing", [key for key in wanted if key not in found]),
        _list("unexpected", [key for key in found if key not in wanted]),
        _list(
            "of another shape",
            [
                f"{key} {list(found[key].shape)} in place of {list(wanted[key])}"
                for key in common
                if found[key].shape != wanted[key]
            ],
        ),
        _list(
            f"not {' or '.join(WEIGHTS)}",
            [f"{key} {found[key].dtype}" for key in common if found[key].dtype not in WEIGHTS],
        ),
    ]
    said = "; ".join(filter(None, complaints))
    if said:
        raise ModelError(f"{checkpoint.path} does not fit the SHARP network: {said}")


@lru_cache(maxsize=8)
def expected_shapes(config: SharpConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a network's tensors; makes none of them.

    Raises:
        ModelError: there is no network of these sizes.
    """
    try:
        with torch.device("meta"):
            state = SharpNetwork(config).state_dict()
    except (RuntimeError, ValueError, TypeError, ArithmeticError) as error:
        raise ModelError(f"there is no SHARP network of these sizes: {config}") from error
    return {key: tuple(value.shape) for key, value in state.items()}


def _list(what: str, keys: Sequence[str]) -> str:
    """ "2 missing (a, b)", or nothing."""
    if not keys:
        return ""
    printed = (key if key.isprintable() else repr(key) for key in keys[:NAMED])
    named = ", ".join(f"{key:.120}" for key in printed)
    return f"{len(keys):,} {what} ({named}{', ...' if len(keys) > NAMED else ''})"

"""Which predictor a file of weights is of: ``--model runs/mine`` serves what a training came to."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from sharp_xr.model import MODEL_NAMES, ModelError

MODEL_FILE = "model.safetensors"
"""What a training's folder has it in."""
MARKS = {
    "monodepth_model.monodepth_predictor.encoder.patch_encoder.cls_token": "sharp",
    "depth.encoder.stem.0.weight": "lite",
    "encoder.stem.0.weight": "lite",
}
"""A key that the weights of a kind have, and no others."""


def resolved(model: str, checkpoint: Path | None) -> tuple[str, Path | None]:
    """The predictor's name and its weights.

    Args:
        model: one of ``MODEL_NAMES``, or a file of weights, or the folder of a training.
        checkpoint: weights of a predictor that is named.

    Raises:
        ModelError: there is no such model, or the file is of none of the family.
    """
    if model in MODEL_NAMES:
        return model, checkpoint
    path = Path(model)
    if not path.exists():
        names = ", ".join(MODEL_NAMES)
        raise ModelError(
            f"there is no model {model!r}, wanted one of {names}, or a file of weights"
        )
    if checkpoint is not None:
        raise ModelError(f"--model {model} names weights already: leave --checkpoint out")
    if path.is_dir():
        path = path / MODEL_FILE
        if not path.is_file():
            raise ModelError(f"{model} is a folder without {MODEL_FILE}: no training ended there")
    from sharp_xr.model.sharp.checkpoint import open_checkpoint

    try:
        with open_checkpoint(path) as weights:
            return kind_of(weights.shapes(), path), path
    except ModelError as error:
        if path.name != MODEL_FILE and path.with_name(MODEL_FILE).is_file():
            raise ModelError(f"{error}; the {MODEL_FILE} beside it is what is served") from error
        raise


def kind_of(keys: Collection[str], path: Path) -> str:
    """The name of the predictor whose weights have these keys.

    Raises:
        ModelError: none of the family has.
    """
    for mark, kind in MARKS.items():
        if mark in keys:
            return kind
    raise ModelError(f"{path} holds weights of no model of the family ({', '.join(MODEL_NAMES)})")

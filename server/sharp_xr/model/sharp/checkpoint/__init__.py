"""Files of weights: opened without reading or running them, checked, mapped, written."""

from sharp_xr.model.sharp.checkpoint.fit import check_fit, expected_shapes, load_network
from sharp_xr.model.sharp.checkpoint.opened import Checkpoint, open_checkpoint
from sharp_xr.model.sharp.checkpoint.writing import Report, convert, save_network, sha256_of

__all__ = [
    "Checkpoint",
    "Report",
    "check_fit",
    "convert",
    "expected_shapes",
    "load_network",
    "open_checkpoint",
    "save_network",
    "sha256_of",
]

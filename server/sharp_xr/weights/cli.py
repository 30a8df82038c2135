"""`sharp-xr weights list | fetch | convert | verify`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import FlagCreatePairsOff, Positional, arg

from sharp_xr.model import ModelError
from sharp_xr.model.sharp.released import RELEASES, Release, weights_folder


@dataclass(frozen=True)
class List:
    """Say which weights there are, what they may be used for, and whether they are here."""

    def run(self) -> int:
        print("lite   licence: MIT\n       in the package")
        for release in RELEASES.values():
            print(f"{release.name:<6} licence: {release.licence}, {release.licence_url}")
            print(f"       {_state(release)}")
        return 0


@dataclass(frozen=True)
class Fetch:
    """Download published weights, check and convert them."""

    name: Positional[Annotated[str, arg(metavar="NAME")]]
    """As in the list: sharp."""
    accept_license: bool = False
    """Say yes to the licence without being asked; read it first."""
    keep: bool = False
    """Keep the published file beside the conversion."""

    def run(self) -> int:
        from sharp_xr.weights.fetch import FetchError, fetch, state_of
        from sharp_xr.weights.progress import BytesProgress

        release = RELEASES.get(self.name)
        if release is None:
            return fail(f"there are no weights {self.name!r}, wanted one of {', '.join(RELEASES)}")
        folder = weights_folder()
        if state_of(release, folder) == "verified":
            print(f"already there: {folder / release.converted}")
            return 0
        if not (self.accept_license or _accepted(release)):
            return fail(
                f"the licence of {release.name} was not accepted: answer yes on a terminal, "
                f"or read {release.licence_url} and add --accept-license"
            )
        try:
            path = fetch(
                release, folder, lambda what: BytesProgress(what, sys.stderr), keep=self.keep
            )
        except FetchError as error:
            return fail(str(error))
        print(f"{path}\nUse it: sharp-xr serve --model {release.name}")
        return 0


@dataclass(frozen=True)
class Convert:
    """Write a SHARP checkpoint (.pt or .safetensors) as .safetensors that says what it is."""

    source: Positional[Path]
    """The file to read."""
    target: Positional[Path]
    """The file to write."""
    half: bool = False
    """Round to bfloat16: half as long."""
    heads: Annotated[int | None, arg(metavar="N", help_behavior_hint="")] = None
    """Attention heads, if the source does not say and they are not of 64 channels each."""
    hooks: Annotated[tuple[int, int] | None, arg(metavar="N N", help_behavior_hint="")] = None
    """Blocks, from 0, of the finest features, if it does not say and not at 1/4 and 1/2 of all."""

    def run(self) -> int:
        from sharp_xr.model.sharp.checkpoint import convert, open_checkpoint
        from sharp_xr.model.sharp.config import with_hooks
        from sharp_xr.weights.progress import BytesProgress

        with open_checkpoint(self.source) as checkpoint:
            said = checkpoint.config()
        config = with_hooks(said, self.hooks or said.hooks, self.heads or said.vit_heads)
        report = BytesProgress(f"writing {self.target.name}", sys.stderr)
        digest = convert(self.source, self.target, half=self.half, config=config, report=report)
        print(f"{self.target}\nSHA-256 {digest}")
        return 0


@dataclass(frozen=True)
class Verify:
    """Read a SHARP checkpoint whole: does it fit the network, is every number one."""

    file: Positional[Path]
    """.safetensors or .pt."""

    def run(self) -> int:
        from sharp_xr.weights.verify import verify

        found = verify(self.file)
        print(f"{self.file}: sound, fits the SHARP network")
        print(
            f"format   {found.format}, {found.tensors:,} tensors, {found.numbers:,} numbers, "
            f"{', '.join(found.dtypes)}"
        )
        print(
            f"network  {found.config.side_px} px, transformers {found.config.vit_width} wide, "
            f"{found.config.vit_depth} deep, {found.config.vit_heads} heads"
        )
        print(f"SHA-256  {found.sha256}\norigin   {found.origin}\nlicence  {found.licence}")
        return 0


Command = (
    Annotated[List, tyro.conf.subcommand("list")]
    | Annotated[Fetch, tyro.conf.subcommand("fetch")]
    | Annotated[Convert, tyro.conf.subcommand("convert")]
    | Annotated[Verify, tyro.conf.subcommand("verify")]
)


def main(args: Sequence[str]) -> int:
    """Does what the words after `sharp-xr weights` say. Returns the exit code."""
    command = tyro.cli(
        Command,
        args=args,
        prog="sharp-xr weights",
        description="Weights of the models: what is here, and how to get the rest.",
        config=(FlagCreatePairsOff,),
    )
    try:
        return command.run()
    except ModelError as error:
        return fail(str(error))


def fail(sentence: str) -> int:
    """Tell the user, on stderr; the exit code."""
    print(f"sharp-xr: {sentence}", file=sys.stderr)
    return 1


def _state(release: Release) -> str:
    from sharp_xr.weights.fetch import part_of, state_of

    folder = weights_folder()
    again = f"sharp-xr weights fetch {release.name}"
    match state_of(release, folder):
        case "verified":
            return f"here, made of the published file: {folder / release.converted}"
        case "foreign":
            return f"here, but not made of the published file: {folder / release.converted}"
        case "unconverted":
            return f"here, not yet checked and converted, {again}: {folder / release.file}"
        case "partial":
            arrived = part_of(release, folder).stat().st_size
            return f"{arrived / release.size:.0%} of it is here; go on: {again}"
        case _:
            return f"not here ({release.size / 1e9:.1f} GB); get it: {again}"


def _accepted(release: Release) -> bool:
    """Shows the licence's gist, and asks if there is someone to ask."""
    print(f"{release.name}: {release.licence}\n\n{release.gist}\n\n{release.licence_url}\n")
    if not sys.stdin.isatty():
        return False
    try:
        answer = input(f"Download {release.size / 1e9:.1f} GB under this licence? [yes/no] ")
    except EOFError:
        return False
    return answer.strip().lower() in ("y", "yes")

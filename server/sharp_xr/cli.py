"""The command ``sharp-xr``: what the user wrote is read here; the work is imported when wanted.

Each command is a dataclass whose field comments are its help. ``--help`` must not wait for torch,
and a headset PC has none: a missing package ends in one sentence that names the extra to install.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import tyro
from tyro.conf import FlagCreatePairsOff, Positional, arg

from sharp_xr.folders import default_data

EXTRA_OF = {
    **dict.fromkeys(
        (
            *("aiortc", "av", "cryptography", "h11", "ifaddr", "numba", "pi_heif", "PIL", "qrcode"),
            *("safetensors", "starlette", "torch", "uvicorn", "websockets", "zeroconf"),
        ),
        "server",
    ),
    **dict.fromkeys(("gsplat", "ninja"), "cuda"),
    **dict.fromkeys(("embreex", "h5py", "skimage", "tensorboard"), "train"),
}
"""Which extra brings which import."""

Output = Annotated[Path, arg(aliases=["-o"], metavar="PATH")]
# What may be left out says in its own words what happens then.
MaybePath = Annotated[Path | None, arg(metavar="PATH", help_behavior_hint="")]
MaybeText = Annotated[str | None, arg(metavar="TEXT", help_behavior_hint="")]
MaybeInt = Annotated[int | None, arg(metavar="N", help_behavior_hint="")]
MaybeFloat = Annotated[float | None, arg(metavar="NUMBER", help_behavior_hint="")]


@dataclass(frozen=True)
class Serve:
    """Serve the page and the stereo stream."""

    show: Positional[Annotated[Path | None, arg(metavar="[PATH]", help_behavior_hint="")]] = None
    """A photo or a .ply to begin with."""
    gpu: MaybeInt = None
    """Number of the NVIDIA GPU to use. Without this and --device: the best device there is."""
    device: MaybeText = None
    """cpu or cuda:N."""
    host: MaybeText = None
    """Address to listen on. Without it: 127.0.0.1, or 0.0.0.0 with --https. All but the loopback's
    want a token, which is printed."""
    port: int = 8080
    """0 takes a free one."""
    data: MaybePath = None
    """Folder of the scenes. Without it: ~/.local/share/sharp-xr, or as XDG_DATA_HOME says."""
    model: str = "lite"
    """What makes Gaussians of photos: lite, sharp, a file of weights or a training's folder."""
    checkpoint: MaybePath = None
    """Weights in place of the packaged ones, of a model that is named."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """What the model sharp computes in; auto is bf16 where the hardware has it."""
    compile: bool = False
    """Put the model sharp through torch.compile on a GPU: slower to start, quicker afterwards."""
    eye_size: int = 512
    """Longer side of one eye's picture at most, pixels."""
    encoder: Literal["auto", "x264", "nvenc", "qsv", "amf"] = "auto"
    """What makes H.264: the CPU (x264), or a chip of NVIDIA's, Intel's or AMD's. auto takes a chip
    that passes a trial, else x264."""
    sessions: int = 4
    """Clients at a time at most."""
    token: MaybeText = None
    """A token in place of a new random one; then the loopback wants it too."""
    https: bool = False
    """TLS, which headsets want for WebXR. Makes a certificate for this machine, and keeps it."""
    cert: MaybePath = None
    """A certificate of your own (PEM); means --https."""
    key: MaybePath = None
    """Its private key (PEM). Without it: in the same file."""
    log_json: bool = False
    """Log JSON in place of key=value."""
    verbose: bool = False
    """Log more."""

    @property
    def listens_on(self) -> str:
        """HTTPS is for headsets, which are elsewhere."""
        return self.host or ("0.0.0.0" if self.https or self.cert else "127.0.0.1")

    def run(self) -> int:
        from sharp_xr import devices, logs

        logs.configure(as_json=self.log_json, verbose=self.verbose)
        try:
            device = devices.choose(self.device, self.gpu)
        except devices.DeviceError as error:
            return fail(str(error))
        from sharp_xr import serve  # slow, so the device is looked for before
        from sharp_xr.model import ModelError
        from sharp_xr.model.family import resolved

        try:
            model, checkpoint = resolved(self.model, self.checkpoint)
            config = serve.ServeConfig(
                data=self.data or default_data(),
                device=device,
                host=self.listens_on,
                port=self.port,
                token=self.token,
                model=model,
                checkpoint=checkpoint,
                precision=self.precision,
                compiled=self.compile,
                max_eye_px=self.eye_size,
                max_sessions=self.sessions,
                encoder=self.encoder,
                show=self.show,
                https=self.https,
                cert=self.cert,
                key=self.key,
            )
            serve.run(config)
        except (serve.ServeError, ModelError) as error:
            return fail(str(error))
        return 0


@dataclass(frozen=True)
class Predict:
    """Make Gaussians of photos and write them to files."""

    photos: Positional[tuple[Path, ...]]
    """JPEG, PNG, WebP, HEIC or AVIF."""
    output: Output
    """A .ply or .npz file for one photo; a folder for any number, which then holds a .ply each."""
    model: str = "lite"
    """lite, sharp, a file of weights or a training's folder."""
    checkpoint: MaybePath = None
    """Weights in place of the packaged ones, of a model that is named."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """What the model sharp computes in; auto is bf16 where the hardware has it."""
    compile: bool = False
    """Put the model sharp through torch.compile on a GPU: slower to start, quicker afterwards."""
    gpu: MaybeInt = None
    """Number of the NVIDIA GPU to use. Without this and --device: the best device there is."""
    device: MaybeText = None
    """cpu or cuda:N."""
    focal_35mm: MaybeFloat = None
    """Focal length as on 35 mm film, millimetres, in place of the photo's own."""
    focal_px: MaybeFloat = None
    """Focal length in pixels of the upright photo, in place of the photo's own."""

    def run(self) -> int:
        from sharp_xr import devices, logs, predict
        from sharp_xr.model import ModelError, load_predictor
        from sharp_xr.model.family import resolved
        from sharp_xr.prediction import PredictionWorker

        logs.configure(as_json=False)
        try:
            model, checkpoint = resolved(self.model, self.checkpoint)
            targets = predict.targets(self.photos, self.output)
            device = devices.choose(self.device, self.gpu)
            print(f"sharp-xr: {self.model} on {device}", file=sys.stderr)
            worker = PredictionWorker(
                model,
                checkpoint,
                device.name,
                self.precision,
                warm=False,
                load=partial(load_predictor, compiled=self.compile),
            )
            focal = predict.Focal(self.focal_35mm, self.focal_px)
            return 0 if predict.run(worker, targets, focal) else 1
        except (devices.DeviceError, ModelError, predict.OutputError) as error:
            return fail(str(error))


@dataclass(frozen=True)
class Render:
    """Draw a scene: a picture, or a film along a camera path."""

    scene: Positional[Path]
    """A .ply scene."""
    output: Output
    """A .png file, or an .mp4 file."""
    stereo: bool = False
    """Both eyes, side by side."""
    trajectory: Literal["rotate_forward", "swipe", "shake", "rotate"] = "rotate_forward"
    """The camera's path, as in SHARP."""
    renderer: Annotated[Literal["cpu", "cuda", "reference"] | None, arg(help_behavior_hint="")] = (
        None
    )
    """What draws. Without it: the best that there is."""
    size: int = 768
    """Longer side of one eye's picture, pixels."""
    at: Annotated[str | None, arg(metavar="X,Y,Z", help_behavior_hint="")] = None
    """A .png from there, in the photo's direction: metres right, up, back of its camera."""
    depth: bool = False
    """Depth, near blue and far red, in place of the scene's colours."""

    def run(self) -> int:
        from sharp_xr import draw, logs
        from sharp_xr.progress import ProgressLine

        logs.configure(as_json=False)
        line = ProgressLine(self.output.name)
        try:
            wish = draw.Wish(
                self.trajectory,
                self.stereo,
                self.renderer,
                self.size,
                at=draw.place(self.at),
                depth=self.depth,
            )
            done = draw.run(self.scene, self.output, wish, line.show)
        except draw.DrawError as error:
            line.end(str(error))
            return 1
        except KeyboardInterrupt:
            line.end(f"{self.output}: stopped, nothing is written")
            raise
        line.end(done)
        return 0


@dataclass(frozen=True)
class Train:
    """Train a predictor: see `sharp-xr train --help`."""

    rest: Positional[tuple[str, ...]] = ()
    """Passed on."""

    def run(self) -> int:
        from sharp_xr.train import cli as train

        return train.main(self.rest)


@dataclass(frozen=True)
class Eval:
    """Score a predictor on pairs of photos: see `sharp-xr eval --help`."""

    rest: Positional[tuple[str, ...]] = ()
    """Passed on."""

    def run(self) -> int:
        from sharp_xr.eval import cli as evaluation

        return evaluation.main(self.rest)


@dataclass(frozen=True)
class Weights:
    """List, fetch, convert and verify weights: see `sharp-xr weights --help`."""

    rest: Positional[tuple[str, ...]] = ()
    """Passed on."""

    def run(self) -> int:
        from sharp_xr.weights import cli as weights

        return weights.main(self.rest)


@dataclass(frozen=True)
class Doctor:
    """Say what this machine has, and what to do about what it lacks."""

    data: MaybePath = None
    """Folder of the scenes, as for serve."""
    port: int = 8080
    """As for serve."""
    json: bool = False
    """JSON in place of a table."""

    def run(self) -> int:
        from sharp_xr import doctor

        return doctor.run(self.data or default_data(), self.port, as_json=self.json)


Command = Serve | Predict | Render | Train | Eval | Weights | Doctor


def fail(sentence: str) -> int:
    """Tell the user, on stderr; the exit code of a command that could not do its work."""
    print(f"sharp-xr: {sentence}", file=sys.stderr)
    return 1


def parse(args: Sequence[str]) -> Command:
    """What the user wants. Ends the process for --help and for what it cannot read."""
    if args[:1] == ["train"]:  # has commands of its own
        return Train(tuple(args[1:]))
    if args[:1] == ["eval"]:  # likewise
        return Eval(tuple(args[1:]))
    if args[:1] == ["weights"]:
        return Weights(tuple(args[1:]))
    command: Command = tyro.cli(
        Command,
        args=args,
        prog="sharp-xr",
        description="One ordinary photo becomes a place that you can lean into.",
        config=(FlagCreatePairsOff,),
    )
    return command


def run(args: Sequence[str]) -> int:
    """Do what the arguments say. Returns the exit code."""
    command = parse(args)
    try:
        return command.run()
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRA_OF:
            raise
        name = type(command).__name__.lower()
        extra = EXTRA_OF[package]
        return fail(
            f"{name} needs {package}, which is not installed: pip install 'sharp-xr[{extra}]'"
        )


def main() -> NoReturn:
    """The entry point."""
    try:
        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    sys.stdout.flush()
    sys.stderr.flush()
    if any(not thread.daemon for thread in threading.enumerate()[1:]):
        # A renderer still compiles, which nothing can interrupt; Python would wait for it.
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()

"""A scene drawn to a file: one picture, or a film along a camera path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from numpy.typing import NDArray
from PIL import Image

from sharp_xr.gaussians import Gaussians
from sharp_xr.render import Frame, Renderer, View
from sharp_xr.render.camera import photo_fov, view_from_eye
from sharp_xr.render.trajectories import PhotoLens, TrajectoryName, trajectory
from sharp_xr.render.turbo import far_of, turbo
from sharp_xr_protocol.geometry import Pose, Vector3

Picture = NDArray[np.uint8]
"""[H, W, 3] sRGB."""

FILM_SUFFIX, PICTURE_SUFFIX = ".mp4", ".png"
FRAME_RATE = 30
QUALITY = 18
"""x264's constant rate factor; 18 is said to be visually lossless."""

OnPicture = Callable[[int, int], None]
"""Told how many pictures are drawn, and of how many."""


class OutputError(Exception):
    """The file cannot be written; the message is one sentence for the user."""


@dataclass(frozen=True)
class Film:
    """What to show of a scene."""

    trajectory: TrajectoryName = "rotate_forward"
    stereo: bool = False
    """Left and right eye side by side."""
    ipd_m: float = 0.063
    """Distance between the eyes."""
    steps: int = 60
    at: Vector3 | None = None
    """In place of a trajectory: one picture from there, in the photo's direction. Metres from the
    photo's camera in OpenXR's axes: right, up, back."""
    depth: bool = False
    """Depth in colours (turbo.py) in place of the scene's own."""


def write(
    output: Path,
    renderer: Renderer,
    gaussians: Gaussians,
    lens: PhotoLens,
    film: Film = Film(),  # noqa: B008
    on_picture: OnPicture = lambda done, total: None,
) -> int:
    """Draw to an .mp4, or the path's first picture to a .png. Returns how many pictures.

    Raises:
        OutputError: another suffix, a film from one place, or a file that cannot be written.
        ValueError: a scene with nothing before the photo's camera, or a place that is not finite.
    """
    suffix = output.suffix.lower()
    if suffix not in (FILM_SUFFIX, PICTURE_SUFFIX):
        raise OutputError(f"{output.name} ends in neither {FILM_SUFFIX} nor {PICTURE_SUFFIX}")
    if film.at is not None and suffix == FILM_SUFFIX:
        raise OutputError(
            f"{output.name} is a film, and from one place there is one {PICTURE_SUFFIX}"
        )
    total = film.steps if suffix == FILM_SUFFIX else 1
    drawn = counted(pictures(renderer, gaussians, lens, film), total, on_picture)
    new = output.with_name(f".new-{output.name}")  # nobody finds half a film
    try:
        if suffix == PICTURE_SUFFIX:
            Image.fromarray(next(drawn)).save(new)
        else:
            write_film(new, drawn)
        new.replace(output)
    except OSError as error:  # av's errors of opening and writing are OSErrors too
        raise OutputError(f"{output} cannot be written: {error.strerror or error}") from error
    finally:
        new.unlink(missing_ok=True)
    return total


def counted(pictures: Iterable[Picture], total: int, on_picture: OnPicture) -> Iterator[Picture]:
    """The same pictures, each of them told of when it is drawn."""
    for done, picture in enumerate(pictures, 1):
        on_picture(done, total)
        yield picture


def pictures(
    renderer: Renderer, gaussians: Gaussians, lens: PhotoLens, film: Film
) -> Iterator[Picture]:
    """Draw one picture after the other."""
    if film.at is None:
        views = trajectory(film.trajectory, gaussians.means, lens, steps=film.steps)
    else:
        views = [view_at(film.at, lens)]
    scene = renderer.prepare(gaussians)
    far_m = None
    for view in views:
        frame = renderer.render(scene, eyes(view, film.ipd_m) if film.stereo else [view])
        if film.depth:
            far_m = far_of(frame.depth) if far_m is None else far_m  # as long as the film lasts
            yield np.concatenate(turbo(frame.depth, far_m), axis=1)
        else:
            yield colors_of(frame)


def colors_of(frame: Frame) -> Picture:
    """Side by side: [V, 3, H, W] -> [H, V W, 3]."""
    rgb = np.concatenate(np.moveaxis(frame.rgb, 1, 3), axis=1)
    return (rgb * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def view_at(position: Vector3, lens: PhotoLens) -> View:
    """With the photo's lens and direction, from there. Raises ValueError: not finite."""
    fov = photo_fov(lens.width, lens.height, lens.focal_px)
    return view_from_eye(Pose(position), fov, lens.width, lens.height)


def eyes(view: View, ipd_m: float) -> list[View]:
    """The left and the right eye of a head that looks where the view does."""
    both = []
    for offset in (-ipd_m / 2, ipd_m / 2):
        camera_from_photo = view.camera_from_photo.copy()
        camera_from_photo[0, 3] -= offset
        both.append(
            View(camera_from_photo, view.fx, view.fy, view.cx, view.cy, view.width, view.height)
        )
    return both


def write_film(output: Path, pictures: Iterable[Picture], frame_rate: int = FRAME_RATE) -> None:
    """H.264 in an mp4, BT.709 as players expect.

    Raises:
        OSError: the file cannot be written.
    """
    with av.open(output, "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=frame_rate, options={"crf": str(QUALITY)})
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, frame_rate)
        context = stream.codec_context
        context.colorspace = Colorspace.ITU709
        context.color_primaries = ColorPrimaries.BT709
        context.color_trc = ColorTrc.BT709
        context.color_range = ColorRange.MPEG
        for number, picture in enumerate(pictures):
            if not number:
                stream.height, stream.width = picture.shape[:2]
            container.mux(stream.encode(to_bt709(picture, number)))
        container.mux(stream.encode())


def to_bt709(picture: Picture, number: int) -> av.VideoFrame:
    """The picture as the encoder wants it; ``number`` is its time in frames."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24").reformat(
        format="yuv420p",
        src_color_range=ColorRange.JPEG,
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
    )
    frame.pts = number
    return frame

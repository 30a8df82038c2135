"""A margin around what a display asks for, so that it sees no border where the client warps.

A frame is shown about 80 ms after the pose that it is drawn for was taken, from where the eye is by
then. So what is drawn is the union of

    slack   what is asked for, and SLACK of its width or height more at each side, whatever the head
            does: it can begin to move, or turn back
    lead    what the same eye will see after LEAD_S if the head goes on as it moves now, of things
            at all distances from the nearest one on

The picture has SCALE times the display's pixels each way, so that at rest and in slow motion it is
as dense as the display. Only a fast head, whose lead is beyond the slack, gets a wider and hence a
softer picture. README.md has what the numbers cost and give.
"""

from __future__ import annotations

import math

from sharp_xr_protocol.geometry import Fov, Pose, predict, rotate
from sharp_xr_protocol.messages import Eye, Tracking

SLACK = 1 / 16
SCALE = 1 + 2 * SLACK
"""Of the display's pixels, each way: so many make a picture with slack as dense as the display."""
LEAD_S = 0.08
MOST = 1 / 2
"""Of width or height: a margin is not wider, whatever the client says about its speed."""

Tangents = tuple[float, float, float, float]
"""Left, right, up, down of an axis that looks along -z."""


def overscanned(tracking: Tracking, nearest_m: float) -> tuple[Eye, Eye]:
    """The eyes through which the frame of this pose is drawn.

    ``nearest_m``: metres to what is nearest; infinity: all is far away, or nothing is known.
    """
    later = predict(tracking.head, tracking.velocity, LEAD_S)
    now_from_later = tracking.head.inverse() @ later
    left, right = (_widened(eye, now_from_later, nearest_m) for eye in tracking.eyes)
    return left, right


def _widened(eye: Eye, now_from_later: Pose, nearest_m: float) -> Eye:
    """The union of slack and lead, at most MOST wider."""
    fov = eye.fov
    asked = (math.tan(fov.left), math.tan(fov.right), math.tan(fov.up), math.tan(fov.down))
    drawn_from_shown = eye.pose.inverse() @ now_from_later @ eye.pose
    left, right, up, down = _lead(asked, drawn_from_shown, nearest_m)
    width, height = asked[1] - asked[0], asked[2] - asked[3]
    least_x, least_y, most_x, most_y = SLACK * width, SLACK * height, MOST * width, MOST * height
    return Eye(
        eye.pose,
        Fov(
            math.atan(asked[0] - min(max(asked[0] - left, least_x), most_x)),
            math.atan(asked[1] + min(max(right - asked[1], least_x), most_x)),
            math.atan(asked[2] + min(max(up - asked[2], least_y), most_y)),
            math.atan(asked[3] - min(max(asked[3] - down, least_y), most_y)),
        ),
    )


def _lead(asked: Tangents, drawn_from_shown: Pose, nearest_m: float) -> Tangents:
    """What holds all that a display sees at ``drawn_from_shown`` from ``nearest_m`` on."""
    xs, ys = [], []
    for x in asked[:2]:
        for y in asked[2:]:
            turned = rotate(drawn_from_shown.orientation, (x, y, -1.0))
            for inverse_m in (0.0, 1.0 / nearest_m):
                px, py, pz = (
                    value + inverse_m * shift
                    for value, shift in zip(turned, drawn_from_shown.position, strict=True)
                )
                w = max(-pz, 1e-6)  # beside or behind: as far as may be
                xs.append(px / w)
                ys.append(py / w)
    return min(xs), max(xs), max(ys), min(ys)

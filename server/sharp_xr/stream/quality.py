"""How large pictures are, how many come, and what drawing one may take: from what was measured.

Three controls follow the load, each in its own time, and none knows of the others:

    renderer   fewer Gaussians where a picture takes longer than ``budget_ms``     frames
    rate.py    as many bits as the link takes                                      0.1 s
    in here    size of the eyes and frames per second                              seconds

In here are two ladders (ladder.py has the rules), and the smaller size of the two is drawn:

    machine    sizes. A rung costs what drawing or encoding takes, or what the client takes for a
               turn of its display, of the time between two frames of the rate that the viewer's
               goal wants at least
    link       sizes and frame rates. A rung costs the bits that its pictures need to look good, of
               those that the rate control allows

The goal moves both: "smoother" wants all frames and gives up pixels for them, "sharper" the other
way round. Nothing in here reads a clock or touches a stream.
"""

from __future__ import annotations

from dataclasses import dataclass

from sharp_xr.stream.ladder import Ladder
from sharp_xr.stream.load import Load
from sharp_xr_protocol.messages import QualityGoal, QualityLimit, Video

SHARES = (1.0, 0.875, 0.75, 0.625, 0.5, 0.375)
"""Of an eye's width and height: each has two thirds to three quarters of the pixels before it."""
LEAST_SHARE: dict[QualityGoal, float] = {"auto": 0.5, "sharper": 0.5, "smoother": 0.375}
"""Below it more frames are worth less than the pixels that they cost."""
LEAST_PX = 192
"""The longer side of an eye; smaller ones show nothing."""
GOAL_HZ: dict[QualityGoal, float] = {"auto": 40.0, "sharper": 24.0, "smoother": 240.0}
"""Frames per second that pixels are given up for, where the display shows as many."""
LINK_RUNGS: dict[QualityGoal, tuple[tuple[float, int], ...]] = {
    "auto": ((1, 1), (0.875, 1), (0.75, 1), (0.75, 2), (0.625, 2), (0.5, 2), (0.5, 3)),
    "sharper": ((1, 1), (1, 2), (0.875, 2), (0.75, 2), (0.75, 3), (0.625, 3), (0.5, 3)),
    "smoother": ((1, 1), (0.875, 1), (0.75, 1), (0.625, 1), (0.5, 1), (0.5, 2), (0.375, 2)),
}
"""Share of the size, and what the display's rate is divided by."""
LEAST_BPP = 0.06
"""Bits for each pixel of a moving picture that looks good: a quarter of what
``rate_settings.settings_for`` begins with."""
USED = 0.8
"""A coder that uses less of its bits has enough of them."""
BUDGET = 0.8
"""Share of a frame's time that drawing may take before the renderer draws fewer Gaussians."""
LATE = 0.95
"""... and that drawing or encoding may take before pictures get smaller."""
FIXED_RENDER, FIXED_MORE = 0.5, 0.25
"""Share of the drawing time that does not go with the pixels, for fewer of them and for more: 0.4
to 0.65 was measured, and rather too much is expected than too little."""
FIXED_DETAIL = 0.3
"""Share that does not go with the Gaussians, see ``render/cpu/levels.py``."""
FIXED_CLIENT = 0.2
"""Of what a client's turn takes; a guess."""
FIXED_ENCODE = 0.2
"""Of the encoding time; 0.2 to 0.35 was measured."""
SLOW = 1.25
"""A client whose poses come, or that shows frames, so many times more seldom than the goal wants
has too much to do."""
REMEMBER_S = 60.0
"""How long it is taken for slow at that size, since it was: a fast one says only that it is."""
SETTLE_S = 1.0
"""After pictures changed their size its poses tell of the former one."""
STEADY = 1.25
"""What is known of the machine's frame rate changes when it is so many times another."""


@dataclass(frozen=True)
class Quality:
    """What is to be drawn."""

    eye_width: int
    eye_height: int
    hz: float
    """Frames per second at most."""
    expected_hz: float
    """Frames per second that the machine makes of these: among them the bits are shared out."""
    budget_ms: float
    """What drawing may take, on a render thread of one's own."""
    limit: QualityLimit
    """What keeps it from being better."""


@dataclass(frozen=True)
class _Slow:
    """A client that could not do what was wanted, at some size."""

    cost: float
    """What its turns took, of what they might."""
    at_s: float


class QualityControl:
    """One stream's state between looks."""

    def __init__(self, video: Video, goal: QualityGoal = "auto") -> None:
        self._video = video
        self._sizes = sizes_of(video, goal)
        self._machine, self._link = Ladder(), Ladder()
        self._machine_hz = video.max_hz  # that it could make, if all were wanted
        self._slow: dict[int, _Slow] = {}  # by the pixels of an eye
        self._resized_s = float("-inf")
        self._is_client = False  # that keeps pictures from being larger
        self.detail = 1.0
        """Share of the scene's Gaussians that was drawn, by the last look."""
        self.goal: QualityGoal = goal
        self.quality = self._chosen()
        """As chosen last."""

    def prefer(self, goal: QualityGoal) -> Quality:
        """Another goal; from where things stand it is gone on."""
        self.goal = goal
        self._sizes = sizes_of(self._video, goal)
        rung = min(self._machine.rung, len(self._sizes) - 1)
        self._machine, self._link = Ladder(rung), Ladder(self._link.rung)
        self.quality = self._chosen()
        return self.quality

    def look(self, load: Load, now_s: float) -> Quality:
        """What is to be drawn from now on. A few times a second, while pictures move."""
        self.detail = 1.0
        if load.gaussians is not None:
            self.detail = load.gaussians / max(1, load.scene_gaussians)
        self._know_machine(load)
        self._know_client(load, now_s)
        server, client, link = (
            self._server_costs(load),
            self._client_costs(),
            self._link_costs(load),
        )
        self._machine.look([max(both) for both in zip(server, client, strict=True)], now_s)
        self._link.look(link, now_s)
        finer = max(0, self._machine.rung - 1)
        self._is_client = client[finer] > server[finer]
        chosen = self._chosen()
        if chosen.eye_width != self.quality.eye_width:
            self._resized_s = now_s
        self.quality = chosen
        return self.quality

    # --- what rungs cost ------------------------------------------------------------------------

    def _server_costs(self, load: Load) -> list[float]:
        """Of each size."""
        now_px = self.quality.eye_width * self.quality.eye_height
        frame_ms = LATE * 1e3 / self._goal_hz(self.quality.hz)
        costs = []
        for width, height in self._sizes:
            pixels = width * height
            fixed = FIXED_MORE if pixels > now_px else FIXED_RENDER
            render = load.sharers * load.render_ms * _scaled(fixed, pixels / now_px)
            # Gaussians finer than pixels show little: half of them may be given for more pixels.
            if pixels > now_px and (load.gaussians or 0) >= pixels:
                render *= _scaled(FIXED_DETAIL, 0.5)
            encode = load.encode_ms * _scaled(FIXED_ENCODE, pixels / now_px)
            costs.append(max(render, encode) / frame_ms)
        return costs

    def _client_costs(self) -> list[float]:
        """Of each size."""
        now_px = self.quality.eye_width * self.quality.eye_height
        costs = []
        for width, height in self._sizes:
            pixels = width * height
            # A client that is not slow keeps step with its display, which tells nothing more.
            costs.append(
                max(
                    (
                        slow.cost * _scaled(FIXED_CLIENT, pixels / slow_px)
                        for slow_px, slow in self._slow.items()
                        if pixels > now_px or slow_px == now_px
                    ),
                    default=0.0,
                )
            )
        return costs

    def _link_costs(self, load: Load) -> list[float]:
        """Of each size and rate."""
        now_px = 2 * self.quality.eye_width * self.quality.eye_height
        bpp = LEAST_BPP
        if load.frame_bits < USED * load.link_bps / self.quality.expected_hz:
            # Simple pictures look good with few bits.
            bpp = min(LEAST_BPP, load.frame_bits / USED / now_px)
        return [
            2 * width * height * bpp * min(hz, self._machine_hz) / max(load.link_bps, 1.0)
            for width, height, hz in self._link_rungs()
        ]

    def _know_machine(self, load: Load) -> None:
        slowest_ms = max(load.sharers * load.render_ms, load.encode_ms, 1e-3)
        hz = min(self._video.max_hz, 1e3 / slowest_ms)
        if not self._machine_hz / STEADY < hz < self._machine_hz * STEADY:
            self._machine_hz = hz

    def _know_client(self, load: Load, now_s: float) -> None:
        if now_s - self._resized_s < SETTLE_S:
            return
        times = load.client_ms * self._goal_hz(self.quality.hz) / 1e3
        pixels = self.quality.eye_width * self.quality.eye_height
        fast_px = pixels if times <= SLOW else 0
        self._slow = {
            slow_px: slow
            for slow_px, slow in self._slow.items()
            if slow_px > fast_px and now_s - slow.at_s <= REMEMBER_S
        }
        if times > SLOW:
            self._slow[pixels] = _Slow(times / SLOW, now_s)

    # --- what they come to ----------------------------------------------------------------------

    def _chosen(self) -> Quality:
        of_machine = self._sizes[self._machine.rung]
        width, height, hz = self._link_rungs()[self._link.rung]
        of_link = width, height
        width, height = min(of_machine, of_link)
        limit: QualityLimit = "display"
        if self._link.rung and of_link <= of_machine:
            limit = "link"
        elif self._machine.rung:
            limit = "client" if self._is_client else "machine"
        elif self.detail < 1.0:
            limit = "machine"
        expected_hz = min(hz, self._machine_hz)
        budget_ms = BUDGET * 1e3 / self._goal_hz(hz)
        return Quality(width, height, hz, expected_hz, budget_ms, limit)

    def _goal_hz(self, hz: float) -> float:
        """Wanted at least, where so many come at most."""
        return min(hz, GOAL_HZ[self.goal])

    def _link_rungs(self) -> list[tuple[int, int, float]]:
        """Width, height and frames per second of each."""
        return [
            (*max(size_of(self._video, share), self._sizes[-1]), self._video.max_hz / divisor)
            for share, divisor in LINK_RUNGS[self.goal]
        ]


def sizes_of(video: Video, goal: QualityGoal) -> list[tuple[int, int]]:
    """Widths and heights of an eye, the largest first, each of them once."""
    sizes = [size_of(video, share) for share in SHARES if share >= LEAST_SHARE[goal]]
    return list(dict.fromkeys(size for size in sizes if size == sizes[0] or max(size) >= LEAST_PX))


def size_of(video: Video, share: float) -> tuple[int, int]:
    """Of an eye; multiples of 16, H.264's macroblocks, where it is less than the whole."""
    whole = video.eye_width, video.eye_height
    if share == 1:
        return whole
    width, height = (min(side, max(16, round(share * side / 16) * 16)) for side in whole)
    return width, height


def _scaled(fixed: float, ratio: float) -> float:
    return fixed + (1 - fixed) * ratio

"""Frames out of packets that are lost, late, doubled or in disorder. Time is passed in."""

import random

import pytest

from sharp_xr_client.holes import GIVE_UP_S, KEYFRAME_MARGIN_S, NACK_MARGIN_S, NACK_TRIES
from sharp_xr_client.jitter import (
    KEYFRAME_AGAIN_S,
    START_CODE,
    AccessUnit,
    Fragment,
    FrameBuffer,
    nal_types,
)

ROUND_TRIP_S = 0.02
SPS, PPS, IDR, SLICE = (START_CODE + bytes([0x60 | kind]) for kind in (7, 8, 5, 1))


class Video:
    """A sender: frames of packets with rising sequence numbers and keys."""

    def __init__(self, sequence: int = 100) -> None:
        self._sequence = sequence
        self._key = 0

    def frame(self, packets: int = 3, *, keyframe: bool = False) -> list[Fragment]:
        self._key += 1500
        parts = [SLICE + b"%d" % self._key] + [b"more"] * (packets - 1)
        if keyframe:  # the last packet begins a second slice
            parts = [SPS + b"s" + PPS + b"p", *([IDR + b"i"] * (packets - 1))]
        first, self._sequence = self._sequence + 1, self._sequence + len(parts)
        return [
            Fragment((first + index) & 0xFFFF, self._key, False, part)
            for index, part in enumerate(parts)
        ]


def frame(video: Video, packets: int = 3, *, keyframe: bool = False) -> list[Fragment]:
    """The frame's packets, the last one marked."""
    fragments = video.frame(packets, keyframe=keyframe)
    return [*fragments[:-1], fragments[-1]._replace(marker=True)]


def feed(buffer: FrameBuffer, fragments: list[Fragment], now_s: float = 0.0) -> list[AccessUnit]:
    return [unit for fragment in fragments for unit in buffer.add(fragment, now_s)]


def started(sequence: int = 100) -> tuple[Video, FrameBuffer]:
    """A stream whose first key frame has come."""
    video, buffer = Video(sequence), FrameBuffer(ROUND_TRIP_S)
    assert len(feed(buffer, frame(video, keyframe=True))) == 1
    return video, buffer


def test_a_frame_is_handed_out_with_its_marker_packet() -> None:
    video, buffer = started()
    *most, last = frame(video)
    assert feed(buffer, most) == []
    (unit,) = buffer.add(last, 1.5)
    assert unit.key == last.key
    assert unit.data == b"".join(fragment.data for fragment in (*most, last))
    assert not unit.keyframe
    assert unit.arrived_s == 1.5


def test_a_sender_without_markers_is_understood_at_the_next_frame() -> None:
    video, buffer = started()
    first, second = video.frame(), video.frame()
    assert [unit.key for unit in feed(buffer, first + second)] == [first[0].key]


def test_packets_in_disorder_make_the_same_frames() -> None:
    video, buffer = started()
    frames = [frame(video, 4) for _ in range(20)]
    fragments = [fragment for packets in frames for fragment in packets]
    shuffle = random.Random(1)
    order = sorted(range(len(fragments)), key=lambda i: i + shuffle.uniform(0, 6))
    units = feed(buffer, [fragments[i] for i in order])
    assert [unit.key for unit in units] == [packets[0].key for packets in frames]
    assert buffer.counts.missing == buffer.counts.repaired > 0
    assert buffer.counts.lost == 0


def test_doubled_packets_change_nothing() -> None:
    video, buffer = started()
    packets = frame(video)
    units = feed(buffer, [packets[0], packets[0], *packets[1:], *packets])
    assert len(units) == 1
    assert buffer.counts.duplicate == 4


def test_sequence_numbers_may_wrap() -> None:
    video, buffer = started(sequence=0xFFFF - 10)
    units = [unit for _ in range(10) for unit in feed(buffer, frame(video, 4))]
    assert len(units) == 10
    assert buffer.counts.missing == 0


def test_a_hole_over_the_wrap_is_asked_for_by_its_numbers() -> None:
    video, buffer = started(sequence=0xFFFF - 4)  # the key frame took three numbers
    lost = frame(video, 2)
    feed(buffer, frame(video))
    assert [packet.sequence for packet in lost] == [0xFFFF, 0]
    assert buffer.feedback(0.0).nack == [0xFFFF, 0]
    assert len(feed(buffer, lost)) == 2


def test_a_repaired_hole_lets_all_waiting_frames_go_at_once_and_in_order() -> None:
    video, buffer = started()
    broken, *others = (frame(video) for _ in range(6))
    assert feed(buffer, [broken[0], broken[2]]) == []
    for packets in others:
        assert feed(buffer, packets) == []
    units = buffer.add(broken[1], 0.03)
    assert [unit.key for unit in units] == [packets[0].key for packets in (broken, *others)]
    assert buffer.counts.repaired == 1
    assert not buffer.troubled


def test_a_missing_packet_is_asked_for_again_until_the_tries_are_used_up() -> None:
    video, buffer = started()
    packets = frame(video)
    feed(buffer, [packets[0], packets[2]])
    asked_s = []
    for now_ms in range(0, 200):
        if buffer.feedback(now_ms / 1e3).nack == [packets[1].sequence]:
            asked_s.append(now_ms / 1e3)
    assert len(asked_s) == NACK_TRIES
    assert asked_s[0] == 0.0
    gaps = [b - a for a, b in zip(asked_s, asked_s[1:], strict=False)]
    assert min(gaps) >= ROUND_TRIP_S + NACK_MARGIN_S - 1e-9


def test_a_key_frame_is_asked_for_once_a_repair_should_have_come() -> None:
    video, buffer = started()
    packets = frame(video)
    feed(buffer, [packets[0], packets[2]], now_s=1.0)
    due_s = 1.0 + ROUND_TRIP_S + KEYFRAME_MARGIN_S
    assert not buffer.feedback(due_s - 0.001).keyframe
    assert buffer.feedback(due_s + 0.001).keyframe
    again_s = due_s + ROUND_TRIP_S + KEYFRAME_AGAIN_S
    assert not buffer.feedback(again_s).keyframe
    assert buffer.feedback(again_s + 0.002).keyframe
    assert buffer.counts.plis == 2


def test_a_complete_key_frame_behind_a_hole_is_shown_at_once() -> None:
    video, buffer = started()
    broken = frame(video)
    feed(buffer, broken[:1])
    assert feed(buffer, frame(video)) == []
    keyframe, after = frame(video, 5, keyframe=True), frame(video)
    units = feed(buffer, keyframe + after)
    assert [unit.key for unit in units] == [keyframe[0].key, after[0].key]
    assert units[0].keyframe
    assert buffer.counts.lost == 2
    assert buffer.counts.undecodable_frames == 2
    assert not buffer.troubled
    # What comes too late changes nothing any more.
    assert feed(buffer, broken) == []


def test_a_key_frame_right_behind_a_hole_needs_no_packet_of_the_hole() -> None:
    video, buffer = started()
    frame(video, 4)  # lost as a whole
    keyframe = frame(video, 5, keyframe=True)
    assert [unit.key for unit in feed(buffer, keyframe)] == [keyframe[0].key]


def test_a_key_frame_whose_own_packets_came_in_disorder_ends_a_hole() -> None:
    video, buffer = started()
    frame(video)
    keyframe = frame(video, 4, keyframe=True)
    units = feed(buffer, [keyframe[i] for i in (3, 1, 0, 2)])
    assert [unit.key for unit in units] == [keyframe[0].key]


def test_the_tail_of_a_key_frame_is_no_key_frame() -> None:
    video, buffer = started()
    frame(video)
    keyframe = frame(video, 4, keyframe=True)
    assert feed(buffer, keyframe[1:] + frame(video)) == []
    # Neither is it one after its head was given up.
    buffer.feedback(ROUND_TRIP_S + GIVE_UP_S + 0.001)
    assert feed(buffer, frame(video), now_s=1.0) == []


def test_nothing_is_handed_out_after_an_unrepaired_hole_until_the_next_key_frame() -> None:
    video, buffer = started()
    broken = frame(video)
    feed(buffer, [broken[0], broken[2]], now_s=0.0)
    buffer.feedback(ROUND_TRIP_S + GIVE_UP_S + 0.001)
    assert buffer.counts.lost == 1
    for _ in range(5):
        assert feed(buffer, frame(video), now_s=1.0) == []
    assert buffer.feedback(1.0).keyframe
    keyframe, after = frame(video, keyframe=True), frame(video)
    assert [u.key for u in feed(buffer, keyframe + after, 1.1)] == [keyframe[0].key, after[0].key]
    assert not buffer.troubled
    assert buffer.counts.undecodable_frames == 6


def test_waiting_packets_are_not_kept_for_ever() -> None:
    video, buffer = started()
    feed(buffer, frame(video)[1:])
    for number in range(100):
        now_s = number * 0.02
        feed(buffer, frame(video), now_s)
        buffer.feedback(now_s)
    assert len(buffer._waiting) < 60


def test_a_stream_that_begins_in_its_middle_asks_for_a_key_frame() -> None:
    video, buffer = Video(), FrameBuffer(ROUND_TRIP_S)
    assert feed(buffer, frame(video)) == []
    assert buffer.troubled
    assert buffer.feedback(0.0).keyframe


def test_a_decoder_that_failed_gets_nothing_before_the_next_key_frame() -> None:
    video, buffer = started()
    buffer.lose()
    assert feed(buffer, frame(video)) == []
    assert buffer.feedback(0.0).keyframe
    assert len(feed(buffer, frame(video, keyframe=True) + frame(video))) == 2


def test_a_far_jump_of_sequence_numbers_starts_over() -> None:
    video, buffer = started()
    later = Video(sequence=20_000)
    assert feed(buffer, frame(later)) == []
    keyframe = frame(later, keyframe=True)
    assert [unit.key for unit in feed(buffer, keyframe)] == [keyframe[0].key]


@pytest.mark.parametrize("seed", range(20))
def test_with_any_losses_each_frame_follows_the_last_or_is_a_key_frame(seed: int) -> None:
    """A decoder that is given these frames never shows a damaged picture."""
    chance = random.Random(seed)
    video, buffer = Video(sequence=chance.randrange(1 << 16)), FrameBuffer(ROUND_TRIP_S)
    numbers: dict[int, int] = {}
    last = None
    wanted = True
    for number in range(300):
        now_s = number / 60
        packets = frame(video, chance.randint(2, 5), keyframe=wanted)
        numbers[packets[0].key] = number
        wanted = False
        arrived = [packet for packet in packets if chance.random() > 0.04]
        for unit in feed(buffer, arrived, now_s):
            assert unit.keyframe or numbers[unit.key] == (last or 0) + 1
            last = numbers[unit.key]
        wanted = buffer.feedback(now_s).keyframe
    assert last is not None
    assert last > 250


def test_nal_types_are_found_in_every_part() -> None:
    assert nal_types([SPS + b"x" + PPS + b"y", b"tail", IDR]) == {7, 8, 5}
    assert nal_types([b"", START_CODE]) == set()


def test_where_packets_overtake_each_other_a_late_one_is_not_asked_for_at_once() -> None:
    video, buffer = started()
    for n in range(20):  # each frame's middle packet comes 10 ms late, before a repair could
        packets = frame(video)
        feed(buffer, [packets[0], packets[2]], now_s=0.1 * n)
        buffer.add(packets[1], 0.1 * n + 0.010)
    packets = frame(video)
    feed(buffer, [packets[0], packets[2]], now_s=3.0)
    assert buffer.feedback(3.005).nack == []
    assert buffer.feedback(3.011).nack == [packets[1].sequence]

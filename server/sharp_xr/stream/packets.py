"""RTP packets (RFC 3550) of a video, with the header extensions that were negotiated. No I/O."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpSendParameters

PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"


_FIXED = struct.Struct("!BBHII")
_NUMBER = struct.Struct("!H")


@dataclass(slots=True)
class SentPacket:
    """A packet as it is remembered for repairs."""

    sequence: int
    marker: int
    """0x80 on the last packet of a frame, else 0."""
    timestamp: int
    """The frame's key."""
    payload: bytes
    at_s: float
    repairs: int = 0


class PacketMaker:
    """Makes the packets of one stream and of its repair stream."""

    def __init__(
        self,
        parameters: RTCRtpSendParameters,
        codec: RTCRtpCodecParameters,
        ssrc: int,
        rtx_ssrc: int,
    ) -> None:
        self._ssrc, self._rtx_ssrc = ssrc, rtx_ssrc
        assert codec.payloadType is not None
        self._payload_type = codec.payloadType
        self._rtx_type = next(
            (
                other.payloadType
                for other in parameters.codecs
                if other.name.lower() == "rtx" and other.parameters.get("apt") == codec.payloadType
            ),
            None,
        )
        self._before, self._after, self._stamped = _extensions(parameters)

    def original(self, sent: SentPacket, now_s: float) -> bytes:
        """The packet, as it leaves the first time."""
        fixed = _FIXED.pack(
            0x90, self._payload_type | sent.marker, sent.sequence, sent.timestamp, self._ssrc
        )
        return fixed + self._extensions(now_s) + sent.payload

    def repair(self, sent: SentPacket, rtx_sequence: int, now_s: float) -> bytes:
        """The packet once more: on the repair stream (RFC 4588) where there is one."""
        if self._rtx_type is None:
            return self.original(sent, now_s)
        fixed = _FIXED.pack(
            0x90, self._rtx_type | sent.marker, rtx_sequence, sent.timestamp, self._rtx_ssrc
        )
        return fixed + self._extensions(now_s) + _NUMBER.pack(sent.sequence) + sent.payload

    def _extensions(self, now_s: float) -> bytes:
        """``now_s``: by any clock that is the same for the whole stream."""
        if not self._stamped:
            return self._before
        # 24 bits of seconds in 6.18 fixed point (the abs-send-time extension's definition).
        stamp = int(now_s * (1 << 18)) & 0xFFFFFF
        return self._before + stamp.to_bytes(3, "big") + self._after


def _extensions(parameters: RTCRtpSendParameters) -> tuple[bytes, bytes, bool]:
    """The one-byte header extensions (RFC 8285), cut where the abs-send-time stamp goes in.

    Returns: what stands before it, what after it, and whether there is one.
    """
    ids = {one.uri: one.id for one in parameters.headerExtensions if 1 <= one.id <= 14}
    mid = parameters.muxId.encode()
    block = b""
    if MID in ids and 1 <= len(mid) <= 16:
        block += bytes([ids[MID] << 4 | len(mid) - 1]) + mid
    if PLAYOUT_DELAY in ids:
        # 12 bits of minimum and 12 of maximum, both 0: show each frame as soon as it is decoded.
        block += bytes([ids[PLAYOUT_DELAY] << 4 | 2, 0, 0, 0])
    stamped = ABS_SEND_TIME in ids
    if stamped:
        block += bytes([ids[ABS_SEND_TIME] << 4 | 2])
    length = len(block) + (3 if stamped else 0)
    padding = bytes(-length % 4)
    head = struct.pack("!HH", 0xBEDE, (length + len(padding)) // 4)
    return (head + block, padding, True) if stamped else (head + block + padding, b"", False)

"""The WebRTC side of a session: one H.264 video to here, by an offer of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription
from aiortc.sdp import candidate_from_sdp

from sharp_xr_client.counts import Counts
from sharp_xr_client.decoder import DecodedFrame
from sharp_xr_client.problem import ClientError
from sharp_xr_client.receiver import VideoReceiver
from sharp_xr_protocol.codec import ProtocolError
from sharp_xr_protocol.messages import Candidate

CODECS = ("video/H264", "video/rtx")
"""RTX carries what is sent again."""


class VideoLink:
    """One connection for the video, from its offer to :meth:`close`; a lost one stays lost.

    Args:
        on_frame: called on the decoder's thread with each picture.
        on_failed: called on the event loop when no way to the server is left.
        counts: what the network does is added to them.
    """

    def __init__(
        self,
        on_frame: Callable[[DecodedFrame], None],
        on_failed: Callable[[], None],
        counts: Counts,
    ) -> None:
        # An explicit empty list: aiortc's default asks a STUN server of Google's.
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._peer.on("connectionstatechange", self._on_state)
        self._on_failed = on_failed
        transceiver = self._peer.addTransceiver("video", direction="recvonly")
        capabilities = RTCRtpReceiver.getCapabilities("video")
        assert capabilities is not None
        transceiver.setCodecPreferences(
            [codec for codec in capabilities.codecs if codec.mimeType in CODECS]
        )
        self._receiver = VideoReceiver(transceiver.receiver, on_frame, counts)
        self._feedback = asyncio.create_task(self._receiver.run())

    def set_round_trip(self, seconds: float) -> None:
        """To the server and back."""
        self._receiver.set_round_trip(seconds)

    async def offer(self) -> str:
        """SDP with all candidates in it."""
        await self._peer.setLocalDescription(await self._peer.createOffer())
        return str(self._peer.localDescription.sdp)

    async def accept(self, answer_sdp: str) -> None:
        """Raises ClientError if the answer is none."""
        try:
            description = RTCSessionDescription(answer_sdp, "answer")
            await self._peer.setRemoteDescription(description)
        except Exception as error:  # aiortc's parser raises whatever the text trips over
            raise ClientError(f"the server's SDP answer cannot be used: {error}") from error

    async def add_candidate(self, message: Candidate) -> None:
        """Raises ProtocolError if it is none."""
        text = message.candidate.removeprefix("candidate:")
        if not text:
            await self._peer.addIceCandidate(None)
            return
        try:
            candidate = candidate_from_sdp(text)
        except (ValueError, AssertionError) as error:
            raise ProtocolError(f"an ICE candidate that cannot be read: {text!r}") from error
        candidate.sdpMid, candidate.sdpMLineIndex = message.sdp_mid, message.sdp_m_line_index
        await self._peer.addIceCandidate(candidate)

    async def close(self) -> None:
        """End the connection and the decoding thread."""
        self._feedback.cancel()
        await asyncio.gather(self._feedback, return_exceptions=True)
        await self._peer.close()
        await asyncio.to_thread(self._receiver.close)

    def _on_state(self) -> None:
        if self._peer.connectionState == "failed":
            self._on_failed()

"""One WebRTC connection: offer in, answer out, one H.264 video to the client."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
from collections.abc import Callable
from typing import Any

import aiortc
from aiortc.exceptions import OperationError
from aiortc.rtcrtptransceiver import RTCRtpTransceiver
from aiortc.sdp import candidate_from_sdp

from sharp_xr.stream.sender import FrameSender
from sharp_xr_protocol.codec import ProtocolError
from sharp_xr_protocol.messages import Candidate

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 20.0
"""From the answer until video can flow."""
CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    b"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    b"ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA"
)
"""aiortc's own, for peers whose certificate is of an elliptic curve, and the same with RSA: that is
what GStreamer 1.22 makes, whose handshake fails without."""
REPAIRS = ("rtx", "red", "ulpfec", "flexfec-03")
"""Payloads that are no video of their own."""
MAX_CANDIDATES = 64
"""A client with more network addresses than that is up to something."""


class Peer:
    """The server's end of one connection. Ends by :meth:`close` only; a lost one stays lost.

    Candidates are taken leniently. A browser hides its addresses behind ``.local`` names; they are
    left out, since the browser's own checks tell us the address (RFC 8445, 7.3.1.3: peer-reflexive)
    and looking the names up would hold the answer back. For the same reason the end of candidates
    is not passed on: ICE without candidates would give up at once.
    """

    def __init__(
        self,
        *,
        on_ready: Callable[[], None],
        on_key_frame_wanted: Callable[[], None],
        on_remb: Callable[[int], None],
        on_lost: Callable[[str], None],
        on_loss: Callable[[float], None] = lambda share: None,
    ) -> None:
        """``on_lost`` is given a sentence, once, unless :meth:`close` came first; ``on_loss`` the
        share of packets that the client's last report misses.
        """
        # An explicit empty list: aiortc's default asks a STUN server of Google's.
        self._connection = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
        _take_rsa_certificates(self._connection)
        self._connection.add_listener("connectionstatechange", self._state_changed)
        self._on_ready = on_ready
        self._on_key_frame_wanted = on_key_frame_wanted
        self._on_remb = on_remb
        self._on_loss = on_loss
        self._on_lost: Callable[[str], None] | None = on_lost
        self._candidates = 0
        self._deadline: asyncio.TimerHandle | None = None
        self.sender: FrameSender | None = None
        """None before :meth:`answer`."""

    @property
    def ready(self) -> bool:
        """Whether a frame would reach the client."""
        return self.sender is not None and self.sender.ready

    async def answer(self, offer_sdp: str) -> str:
        """Take an offer and give the answer, with all of our candidates in it.

        Raises:
            ProtocolError: not SDP, or no H.264 video that the client would receive.
        """
        offer = _without_candidates_to_skip(offer_sdp)
        if "\na=fingerprint:" not in offer:
            raise ProtocolError("an offer without a fingerprint of its certificate")
        try:
            await self._negotiate(offer)
        except ProtocolError:
            raise
        except Exception as error:  # aiortc's parser raises whatever Python does on a wrong line
            raise ProtocolError(f"an offer that cannot be answered: {_sentence(error)}") from error
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(CONNECT_TIMEOUT_S, self._lost, "no connection came about")
        return str(self._connection.localDescription.sdp)

    async def add_candidate(self, candidate: Candidate) -> None:
        """An address of the client's.

        Raises:
            ProtocolError: not a candidate, or too many of them.
        """
        if not candidate.candidate or ".local " in candidate.candidate:
            return
        self._candidates += 1
        if self._candidates > MAX_CANDIDATES:
            raise ProtocolError(f"more than {MAX_CANDIDATES} ICE candidates")
        try:
            parsed = candidate_from_sdp(candidate.candidate.removeprefix("candidate:"))
            ipaddress.ip_address(parsed.ip)
        except (AssertionError, ValueError) as error:
            raise ProtocolError(f"not an ICE candidate: {candidate.candidate[:200]!r}") from error
        parsed.sdpMid, parsed.sdpMLineIndex = candidate.sdp_mid, candidate.sdp_m_line_index
        if parsed.sdpMid is None and parsed.sdpMLineIndex is None:
            raise ProtocolError("an ICE candidate of no media section: wanted an mid or an index")
        await self._connection.addIceCandidate(parsed)

    async def close(self) -> None:
        """End the connection; the client is told by DTLS."""
        self._on_lost = None
        self._cancel_deadline()
        await self._connection.close()

    async def _negotiate(self, offer: str) -> None:
        description = aiortc.RTCSessionDescription(offer, "offer")
        try:
            await self._connection.setRemoteDescription(description)
        except OperationError as error:  # aiortc knows none of the codecs
            raise ProtocolError(_no_h264(offer)) from error
        video = self._video()
        _keep_h264(video, offer)
        for transceiver in self._connection.getTransceivers():
            # What else is offered is declined: nobody here would take what it receives.
            transceiver.direction = "sendonly" if transceiver is video else "inactive"
        self.sender = FrameSender(
            video,
            offer,
            on_ready=self._connected,
            on_key_frame_wanted=self._on_key_frame_wanted,
            on_remb=self._on_remb,
            on_loss=self._on_loss,
        )
        await self._connection.setLocalDescription(await self._connection.createAnswer())

    def _video(self) -> RTCRtpTransceiver:
        for transceiver in self._connection.getTransceivers():
            if transceiver.kind == "video":
                if transceiver._offerDirection not in ("sendonly", "sendrecv"):  # as seen from here
                    raise ProtocolError("an offer whose video does not receive: wanted recvonly")
                return transceiver
        raise ProtocolError("an offer without video: wanted one that receives H.264")

    def _connected(self) -> None:
        self._cancel_deadline()
        self._on_ready()

    def _state_changed(self) -> None:
        if self._connection.connectionState in ("failed", "closed"):
            self._lost("the video connection broke off")

    def _lost(self, why: str) -> None:
        self._cancel_deadline()
        if self._on_lost is not None:
            on_lost, self._on_lost = self._on_lost, None
            on_lost(why)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _take_rsa_certificates(connection: aiortc.RTCPeerConnection) -> None:
    """Of peers, that is: ours stays of an elliptic curve (RFC 8827, 6.5)."""
    (certificate,) = connection._RTCPeerConnection__certificates  # type: ignore[attr-defined]
    stock = certificate._create_ssl_context

    def create(*args: Any, **options: Any) -> Any:
        context = stock(*args, **options)
        context.set_cipher_list(CIPHERS)
        return context

    certificate._create_ssl_context = create


def _keep_h264(transceiver: RTCRtpTransceiver, offer: str) -> None:
    """Of the codecs in common, keep the first H.264 and its repairs: we encode nothing else.

    Whatever the client would rather have. README.md says what others cost and give.
    """
    codecs = transceiver._codecs
    h264 = next((codec for codec in codecs if codec.name.upper() == "H264"), None)
    if h264 is None:
        raise ProtocolError(_no_h264(offer))
    rtx = [
        codec
        for codec in codecs
        if codec.name.lower() == "rtx" and codec.parameters.get("apt") == h264.payloadType
    ]
    transceiver._codecs = [h264, *rtx[:1]]


def _no_h264(offer: str) -> str:
    """A sentence that names the codecs which the client has instead."""
    video = offer.partition("m=video")[2].partition("\nm=")[0]
    names = dict.fromkeys(re.findall(r"a=rtpmap:\d+ ([\w-]{1,20})/90000", video))
    found = [name for name in names if name.lower() not in REPAIRS][:8]
    return (
        "an offer without H.264 (Baseline, packetization-mode 1), which the client needs; "
        f"it has {', '.join(found) or 'no codec at all'}"
    )


def _without_candidates_to_skip(sdp: str) -> str:
    """The offer without ``.local`` candidates and without the end of candidates (see Peer)."""
    lines = sdp.replace("\r\n", "\n").split("\n")
    kept = [
        line
        for line in lines
        if line != "a=end-of-candidates"
        and not (line.startswith("a=candidate:") and ".local " in line)
    ]
    return "\r\n".join(kept)


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__

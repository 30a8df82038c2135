"""Is the installed aiortc the one that ``sender.py`` was written for?"""

from __future__ import annotations

import asyncio
import logging
from importlib.metadata import version

import aioice.ice
import aiortc
from aiortc import clock, rtp
from aiortc.codecs.h264 import H264Encoder
from aiortc.rtcdtlstransport import State

log = logging.getLogger(__name__)

WANTED_AIORTC = "1.16"

SENDER_HOOKS = (
    "_run_rtp _handle_rtcp_packet send transport _ssrc _rtx_ssrc _RTCRtpSender__rtp_started "
    "_RTCRtpSender__rtp_exited _RTCRtpSender__ntp_timestamp _RTCRtpSender__rtp_timestamp "
    "_RTCRtpSender__octet_count _RTCRtpSender__packet_count"
).split()
DTLS_HOOKS = (
    "_state _tx_srtp _RTCDtlsTransport__tx_bytes _RTCDtlsTransport__tx_packets transport"
).split()
RTP_HOOKS = (
    "unpack_remb_fci RtcpPsfbPacket RtcpRtpfbPacket "
    "RTCP_PSFB_APP RTCP_PSFB_FIR RTCP_PSFB_PLI RTCP_RTPFB_NACK"
).split()


def check_aiortc() -> None:
    """Look whether aiortc still has every private name that the sender uses.

    Presence is not behaviour: that is what the tests with a real peer are for.

    Raises:
        RuntimeError: a name is missing; the sentence names it, both versions and the remedy.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(_check_aiortc())  # aiortc's objects want a running loop
    else:
        _check_objects()


async def _check_aiortc() -> None:
    _check_objects()


def _check_objects() -> None:
    if not version("aiortc").startswith(f"{WANTED_AIORTC}."):
        log.warning("aiortc %s is not the tested %s", version("aiortc"), WANTED_AIORTC)
    peer = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
    check_hooks("RTCPeerConnection", peer, ["_RTCPeerConnection__certificates"])
    check_hooks("RTCCertificate", aiortc.RTCCertificate, ["_create_ssl_context"])
    transceiver = peer.addTransceiver("video", direction="sendonly")
    check_hooks("RTCRtpSender", transceiver.sender, SENDER_HOOKS)
    dtls = transceiver.sender.transport
    check_hooks("RTCDtlsTransport", dtls, DTLS_HOOKS)
    check_hooks("RTCIceTransport", dtls.transport, ["_connection"])
    check_hooks("aioice.Connection", dtls.transport._connection, ["_nominated"])
    check_hooks("aiortc.rtcdtlstransport.State", State, ["CONNECTED"])
    check_hooks(
        "RTCRtpTransceiver", transceiver, ["_headerExtensions", "_codecs", "_offerDirection"]
    )
    check_hooks("H264Encoder", H264Encoder, ["_packetize", "_split_bitstream"])
    check_hooks("aiortc.rtp", rtp, RTP_HOOKS)
    check_hooks("aiortc.clock", clock, ["current_ntp_time"])
    check_hooks("aioice.ice", aioice.ice, ["get_host_addresses"])


def check_hooks(owner: str, thing: object, names: list[str]) -> None:
    """Raises RuntimeError with a sentence for the first name that ``thing`` lacks."""
    for name in names:
        if not hasattr(thing, name):
            raise RuntimeError(
                f"aiortc {version('aiortc')} is installed, sharp-xr needs {WANTED_AIORTC}: {owner} "
                f"has no '{name.removeprefix('_RTCRtpSender')}'; install with constraints.txt"
            )

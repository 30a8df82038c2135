import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import aiortc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from sharp_xr.stream.peer import Peer
from sharp_xr_protocol.codec import ProtocolError
from sharp_xr_protocol.messages import Candidate

HOST = "candidate:1 1 udp 2130706431 127.0.0.1 9 typ host"
HIDDEN = "candidate:1 1 udp 2130706431 0f1b2c3d-0000-4000-8000-000000000000.local 9 typ host"


def new_peer(on_lost: Callable[[str], None] = lambda sentence: None) -> Peer:
    return Peer(
        on_ready=lambda: None,
        on_key_frame_wanted=lambda: None,
        on_remb=lambda rate: None,
        on_lost=on_lost,
    )


async def offer(kind: str = "video", direction: str = "recvonly") -> str:
    client = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
    client.addTransceiver(kind, direction=direction)
    await client.setLocalDescription(await client.createOffer())
    sdp = str(client.localDescription.sdp)
    await client.close()
    return sdp


async def answer_to(sdp: str) -> str:
    peer = new_peer()
    try:
        return await peer.answer(sdp)
    finally:
        await peer.close()


def test_the_answer_sends_one_h264_video_and_its_repairs(loopback: None) -> None:
    async def run() -> None:
        lines = (await answer_to(await offer())).splitlines()
        codecs = [line.split()[1] for line in lines if line.startswith("a=rtpmap:")]
        assert codecs == ["H264/90000", "rtx/90000"]
        assert "a=sendonly" in lines
        assert sum(line.startswith("m=") for line in lines) == 1

    asyncio.run(run())


def test_a_loopback_server_answers_with_the_loopback_address_alone(loopback: None) -> None:
    async def run() -> None:
        lines = (await answer_to(await offer())).splitlines()
        addresses = {line.split()[4] for line in lines if line.startswith("a=candidate:")}
        assert addresses == {"127.0.0.1"}

    asyncio.run(run())


def test_playout_delay_is_negotiated_if_the_offer_has_it(loopback: None) -> None:
    async def run() -> None:
        plain = await offer()
        extension = "a=extmap:9 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
        first = next(line for line in plain.splitlines() if line.startswith("a=extmap:"))
        assert extension in await answer_to(plain.replace(first, f"{first}\r\n{extension}"))
        assert "playout-delay" not in await answer_to(plain)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda sdp: "", "without a fingerprint"),
        (lambda sdp: "nonsense\r\na=fingerprint:", "without video|cannot be answered"),
        (lambda sdp: sdp.replace("m=video", "m=nothing"), "without video|cannot be answered"),
        (lambda sdp: sdp.replace("a=rtpmap:", "a=rtpmap:x"), "cannot be answered"),
        (lambda sdp: sdp.replace("H264", "AV1"), "an offer without H.264"),
        (lambda sdp: sdp.replace("a=recvonly", "a=sendonly"), "wanted recvonly"),
        (lambda sdp: sdp.replace("a=fingerprint", "a=thumb"), "without a fingerprint"),
    ],
)
def test_a_bad_offer_is_refused_with_a_sentence(
    change: Callable[[str], str], sentence: str, loopback: None
) -> None:
    async def run() -> None:
        with pytest.raises(ProtocolError, match=sentence):
            await answer_to(change(await offer()))

    asyncio.run(run())


def test_an_offer_of_sound_alone_is_refused(loopback: None) -> None:
    async def run() -> None:
        with pytest.raises(ProtocolError, match="an offer without video"):
            await answer_to(await offer(kind="audio"))

    asyncio.run(run())


def test_sound_that_a_client_would_send_is_declined(loopback: None) -> None:
    async def run() -> None:
        client = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
        client.addTransceiver("audio", direction="sendrecv")
        client.addTransceiver("video", direction="sendrecv")
        await client.setLocalDescription(await client.createOffer())
        lines = (await answer_to(str(client.localDescription.sdp))).splitlines()
        assert "a=inactive" in lines and "a=sendonly" in lines
        assert "a=recvonly" not in lines and "a=sendrecv" not in lines
        await client.close()

    asyncio.run(run())


def test_hidden_addresses_and_the_end_of_candidates_are_passed_over(loopback: None) -> None:
    """Looking up a name that nobody answers would hold the answer back for a second."""

    async def run() -> None:
        sdp = await offer() + f"a={HIDDEN}\r\na=end-of-candidates\r\n"
        peer = new_peer()
        await peer.answer(sdp)
        await peer.add_candidate(Candidate(HIDDEN, sdp_mid="0"))
        await peer.add_candidate(Candidate("", sdp_mid="0"))
        await peer.add_candidate(Candidate(HOST, sdp_mid="0"))  # not after the end
        remote = peer._connection.remoteDescription.sdp
        assert ".local" not in remote and "end-of-candidates" not in remote
        await peer.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("candidate", "sentence"),
    [
        (Candidate("candidate:what", sdp_mid="0"), "not an ICE candidate: 'candidate:what'"),
        (Candidate(HOST.replace("127.0.0.1", "a.b"), sdp_mid="0"), "not an ICE candidate"),
        (Candidate(HOST), "wanted an mid or an index"),
    ],
)
def test_a_bad_candidate_is_refused_with_a_sentence(
    candidate: Candidate, sentence: str, loopback: None
) -> None:
    async def run() -> None:
        peer = new_peer()
        await peer.answer(await offer())
        with pytest.raises(ProtocolError, match=sentence):
            await peer.add_candidate(candidate)
        await peer.close()

    asyncio.run(run())


def test_endless_candidates_are_refused(loopback: None) -> None:
    async def run() -> None:
        peer = new_peer()
        await peer.answer(await offer())
        with pytest.raises(ProtocolError, match="more than 64 ICE candidates"):
            for port in range(1, 100):
                await peer.add_candidate(Candidate(HOST.replace(" 9 ", f" {port} "), sdp_mid="0"))
        await peer.close()

    asyncio.run(run())


def test_a_client_that_never_connects_is_lost_once_and_with_a_sentence(
    loopback: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sharp_xr.stream.peer.CONNECT_TIMEOUT_S", 0.0)

    async def run() -> None:
        lost: asyncio.Queue[str] = asyncio.Queue()
        peer = new_peer(on_lost=lost.put_nowait)
        await peer.answer(await offer())
        assert await lost.get() == "no connection came about"
        await peer.close()
        assert lost.empty()

    asyncio.run(run())


OTHERS = {45: "AV1", 46: "rtx", 47: "H265", 48: "VP9"}
"""As Chromium offers them where the machine has them, before H.264."""


def with_others(sdp: str, keep: bool) -> str:
    """The offer with other codecs before its own, or in their place."""
    head, own = re.findall(r"m=video \d+ UDP/TLS/RTP/SAVPF ([\d ]+)", sdp)[0], []
    if not keep:
        own = [line for line in sdp.splitlines() if re.match(r"a=(rtpmap|fmtp|rtcp-fb):", line)]
    types = " ".join(map(str, OTHERS)) + (f" {head}" if keep else "")
    maps = "".join(f"a=rtpmap:{number} {name}/90000\r\n" for number, name in OTHERS.items())
    kept = [line for line in sdp.splitlines() if line not in own]
    text = "\r\n".join(kept) + "\r\n"
    text = text.replace(f"SAVPF {head}", f"SAVPF {types}")
    return text.replace("a=rtcp-mux\r\n", f"a=rtcp-mux\r\n{maps}a=fmtp:46 apt=45\r\n", 1)


def test_h264_is_answered_whatever_else_comes_before_it(loopback: None) -> None:
    async def run() -> None:
        lines = (await answer_to(with_others(await offer(), keep=True))).splitlines()
        codecs = [line.split()[1] for line in lines if line.startswith("a=rtpmap:")]
        assert codecs == ["H264/90000", "rtx/90000"]

    asyncio.run(run())


def test_an_offer_of_other_codecs_alone_is_refused_by_their_names(loopback: None) -> None:
    async def run() -> None:
        with pytest.raises(ProtocolError, match=r"without H\.264 .*; it has AV1, H265, VP9$"):
            await answer_to(with_others(await offer(), keep=False))

    asyncio.run(run())


def rsa_certificate() -> aiortc.RTCCertificate:
    """As GStreamer 1.22 makes them; its own end takes only what goes with RSA."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an RSA peer")])
    now = datetime.now(UTC)
    unsigned = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(1))
    certificate: Any = aiortc.RTCCertificate(cast(Any, key), unsigned.sign(key, hashes.SHA256()))
    stock = certificate._create_ssl_context

    def create(**options: Any) -> Any:
        context = stock(**options)
        context.set_cipher_list(b"ECDHE-RSA-AES128-GCM-SHA256")
        return context

    certificate._create_ssl_context = create
    return cast(aiortc.RTCCertificate, certificate)


@pytest.mark.parametrize("certificate", [rsa_certificate, None], ids=["RSA", "elliptic curve"])
def test_peers_with_both_kinds_of_certificates_connect(
    certificate: Callable[[], aiortc.RTCCertificate] | None, loopback: None
) -> None:
    async def run() -> None:
        client: Any = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
        if certificate is not None:
            client._RTCPeerConnection__certificates = [certificate()]
        connected, lost = asyncio.Event(), asyncio.Event()
        peer = Peer(
            on_ready=connected.set,
            on_key_frame_wanted=lambda: None,
            on_remb=lambda rate: None,
            on_lost=lambda sentence: lost.set(),
        )
        client.addTransceiver("video", direction="recvonly")
        await client.setLocalDescription(await client.createOffer())
        answer = await peer.answer(client.localDescription.sdp)
        waiting = [asyncio.create_task(event.wait()) for event in (connected, lost)]
        await client.setRemoteDescription(aiortc.RTCSessionDescription(answer, "answer"))
        await asyncio.wait(waiting, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        assert connected.is_set() and not lost.is_set()
        await asyncio.gather(peer.close(), client.close())
        for task in waiting:
            task.cancel()

    asyncio.run(run())

"""A WHEP player by the book: httpx for the requests and aiortc as it is, nothing of ours."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiortc
import av
import httpx


@dataclass
class Player:
    """A connection that plays, and the answer that began it."""

    connection: aiortc.RTCPeerConnection
    transceiver: aiortc.RTCRtpTransceiver
    http: httpx.AsyncClient
    created: httpx.Response

    @property
    def session(self) -> str:
        """The path to PATCH and DELETE."""
        return self.created.headers["location"]

    async def frame(self) -> av.VideoFrame:
        frame = await self.transceiver.receiver.track.recv()
        assert isinstance(frame, av.VideoFrame)
        return frame


async def offer() -> tuple[aiortc.RTCPeerConnection, aiortc.RTCRtpTransceiver]:
    """A connection that has offered to receive one video."""
    connection = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
    transceiver = connection.addTransceiver("video", direction="recvonly")
    await connection.setLocalDescription(await connection.createOffer())
    return connection, transceiver


@contextlib.asynccontextmanager
async def playing(address: str, scene: str, token: str | None = None) -> AsyncIterator[Player]:
    """A player of that scene, connected or about to be."""
    headers = {"Content-Type": "application/sdp"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    connection, transceiver = await offer()
    async with httpx.AsyncClient(base_url=address, headers=headers, trust_env=False) as http:
        try:
            created = await http.post(f"/whep/{scene}", content=connection.localDescription.sdp)
            assert created.status_code == 201, created.text
            answer = aiortc.RTCSessionDescription(created.text, "answer")
            await connection.setRemoteDescription(answer)
            yield Player(connection, transceiver, http, created)
        finally:
            await connection.close()

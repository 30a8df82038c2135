"""The way of a packet out of aiortc: SRTP, then the socket, in one plain call.

aiortc's own way is five coroutines deep for each packet, which nothing in it ever waits for. The
names of aiortc and aioice that are used here are checked at start (``selftest.py``).
"""

from __future__ import annotations

from typing import Any, cast

from aiortc.rtcdtlstransport import RTCDtlsTransport, State


class Datagrams:
    """Where the packets of one sender leave. The event loop's thread only."""

    def __init__(self, transport: RTCDtlsTransport) -> None:
        self._dtls = cast(Any, transport)
        self._ice = cast(Any, transport.transport._connection)

    def send(self, packet: bytes) -> None:
        """Encrypt and send an RTP packet; a socket that is full drops it.

        Raises:
            ConnectionError: there is no connection yet, or none any more.
        """
        dtls = self._dtls
        if dtls._state is not State.CONNECTED:
            raise ConnectionError("not connected")
        pair = self._ice._nominated.get(1)
        if pair is None:
            raise ConnectionError("no way to the peer")
        data = dtls._tx_srtp.protect(packet)
        pair.protocol.transport.sendto(data, pair.remote_addr)
        dtls._RTCDtlsTransport__tx_bytes += len(data)
        dtls._RTCDtlsTransport__tx_packets += 1

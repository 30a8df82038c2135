"""A WHEP player out of GStreamer's own parts (webrtcbin), and nothing of this project.

    /usr/bin/python3 gstreamer_player.py URL TOKEN FRAMES PICTURE
    /usr/bin/python3 gstreamer_player.py --parts        says what is missing, if anything

For the system's Python, which has GStreamer's bindings. Plays FRAMES frames, writes the last one's
RGB bytes to the file PICTURE, ends the session, and prints one line of JSON: width, height, frames.
On Debian: apt install gstreamer1.0-plugins-bad gstreamer1.0-plugins-good gstreamer1.0-nice
gstreamer1.0-libav python3-gst-1.0 gir1.2-gst-plugins-bad-1.0
"""

from __future__ import annotations

import json
import sys
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import gi  # type: ignore[import-not-found]  # the system's

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import (  # type: ignore[import-not-found]  # noqa: E402 (versions come first)
    GLib,
    Gst,
    GstSdp,
    GstWebRTC,
)

H264 = (
    "application/x-rtp,media=video,encoding-name=H264,payload=96,clock-rate=90000,"
    "packetization-mode=(string)1,profile-level-id=(string)42e01f"
)
DECODING = (
    "rtph264depay ! h264parse ! avdec_h264 ! videoconvert ! video/x-raw,format=RGB !"
    " appsink name=sink emit-signals=true sync=false max-buffers=1 drop=true"
)
PARTS = ("webrtcbin", "nicesrc", "dtlsdec", "srtpdec", "rtph264depay", "h264parse", "avdec_h264")
TIMEOUT_S = 40


class Player:
    """One session. Everything but the start happens in GStreamer's threads and the main loop."""

    def __init__(self, url: str, token: str, frames: int, picture: Path) -> None:
        self._url, self._token, self._wanted, self._file = url, token, frames, picture
        self._frames = 0
        self._loop = GLib.MainLoop()
        self._pipeline = Gst.Pipeline.new()
        self._webrtc = Gst.ElementFactory.make("webrtcbin")
        self._webrtc.set_property("bundle-policy", "max-bundle")
        self._pipeline.add(self._webrtc)
        # It leaves the loopback out unless told. Held: Python would drop what webrtcbin needs.
        self._ice = self._webrtc.get_property("ice-agent")
        self._ice.emit("add-local-ip-address", "127.0.0.1")
        self._webrtc.connect("pad-added", self._decode)
        self._webrtc.connect("notify::ice-gathering-state", self._gathered)
        self._offered = False
        self._session: str | None = None
        self.result: dict[str, int] | None = None

    def play(self) -> None:
        """Until all frames came, or too much time has passed."""
        recvonly = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
        self._webrtc.emit("add-transceiver", recvonly, Gst.Caps.from_string(H264))
        self._pipeline.set_state(Gst.State.PLAYING)
        self._webrtc.emit("create-offer", None, Gst.Promise.new_with_change_func(self._offer))
        GLib.timeout_add_seconds(TIMEOUT_S, self._loop.quit)
        self._loop.run()
        self._pipeline.set_state(Gst.State.NULL)
        if self._session:
            self._request(self._session, "DELETE", None)

    def _offer(self, promise: Gst.Promise) -> None:
        reply = promise.get_reply()  # owns the offer
        offer = reply.get_value("offer")
        self._webrtc.emit("set-local-description", offer, Gst.Promise.new())

    def _gathered(self, webrtc: Gst.Element, _: object) -> None:
        complete = GstWebRTC.WebRTCICEGatheringState.COMPLETE
        if not self._offered and webrtc.get_property("ice-gathering-state") == complete:
            self._offered = True
            GLib.idle_add(self._ask)

    def _ask(self) -> bool:
        description = self._webrtc.get_property("local-description")  # owns the text
        offer = description.sdp.as_text()
        with self._request(self._url, "POST", offer.encode()) as answer:
            self._session = urllib.parse.urljoin(self._url, answer.headers["Location"])
            sdp = answer.read()
        _, message = GstSdp.SDPMessage.new()
        GstSdp.sdp_message_parse_buffer(sdp, message)
        description = GstWebRTC.WebRTCSessionDescription.new(
            GstWebRTC.WebRTCSDPType.ANSWER, message
        )
        self._webrtc.emit("set-remote-description", description, Gst.Promise.new())
        return False

    def _request(self, url: str, method: str, body: bytes | None) -> Any:
        headers = {"Content-Type": "application/sdp", "Authorization": f"Bearer {self._token}"}
        return urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method))

    def _decode(self, _: Gst.Element, pad: Gst.Pad) -> None:
        decoding = Gst.parse_bin_from_description(DECODING, True)
        decoding.get_by_name("sink").connect("new-sample", self._frame)
        self._pipeline.add(decoding)
        decoding.sync_state_with_parent()
        pad.link(decoding.get_static_pad("sink"))

    def _frame(self, sink: Gst.Element) -> Gst.FlowReturn:
        sample = sink.emit("pull-sample")
        self._frames += 1
        if self._frames == self._wanted:
            shape = sample.get_caps().get_structure(0)
            width, height = shape.get_value("width"), shape.get_value("height")
            buffer = sample.get_buffer()
            self._file.write_bytes(buffer.extract_dup(0, buffer.get_size()))
            self.result = {"width": width, "height": height, "frames": self._frames}
            self._loop.quit()
        return Gst.FlowReturn.OK


def main() -> None:
    Gst.init(None)
    missing = [part for part in PARTS if Gst.ElementFactory.find(part) is None]
    if missing:
        sys.exit(f"GStreamer has no {', '.join(missing)}")
    if sys.argv[1:] == ["--parts"]:
        return
    url, token, frames, picture = sys.argv[1:]
    player = Player(url, token, int(frames), Path(picture))
    player.play()
    if player.result is None:
        sys.exit(f"not enough frames within {TIMEOUT_S} s: {player._frames} of {frames}")
    print(json.dumps(player.result))


if __name__ == "__main__":
    main()

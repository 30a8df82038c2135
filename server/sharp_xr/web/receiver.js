// The WebRTC half of a session: one receive-only video. The signalling goes through `send`.

const GRACE_MS = 2000; // a "disconnected" path often comes back by itself

export class Receiver {
  /** @type {RTCPeerConnection | null} */
  #peer = null;
  #send;
  #onTrack;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #grace;

  /**
   * @param {object} parts
   * @param {(message: import("./wire.js").FromClient) => void} parts.send
   * @param {(track: MediaStreamTrack) => void} parts.onTrack
   */
  constructor({ send, onTrack }) {
    this.#send = send;
    this.#onTrack = onTrack;
  }

  // Offers anew; also the answer to a lost path, since a fresh connection costs one round trip more than an
  // ICE restart and works with every peer.
  async start() {
    this.stop();
    const peer = new RTCPeerConnection({ iceServers: [] }); // no stranger learns of this stream
    this.#peer = peer;
    const transceiver = peer.addTransceiver("video", { direction: "recvonly" });
    if ("jitterBufferTarget" in transceiver.receiver) transceiver.receiver.jitterBufferTarget = 0;
    peer.ontrack = (event) => this.#onTrack(event.track);
    peer.onicecandidate = (event) => this.#trickle(event.candidate);
    peer.onconnectionstatechange = () => this.#watch(peer);
    const offer = await peer.createOffer();
    await peer.setLocalDescription(offer);
    if (peer === this.#peer) this.#send({ type: "offer", sdp: peer.localDescription?.sdp ?? "" });
  }

  stop() {
    clearTimeout(this.#grace);
    this.#peer?.close();
    this.#peer = null;
  }

  /** @param {string} sdp */
  async answer(sdp) {
    await this.#peer?.setRemoteDescription({ type: "answer", sdp });
  }

  /** @param {import("./wire.js").Told<"candidate">} candidate */
  async addCandidate({ candidate, sdp_mid, sdp_m_line_index }) {
    const init = { candidate, sdpMid: sdp_mid, sdpMLineIndex: sdp_m_line_index };
    await this.#peer?.addIceCandidate(candidate ? init : undefined);
  }

  /**
   * Of the video; null before the first packet.
   * @returns {Promise<RTCInboundRtpStreamStats | null>}
   */
  async statistics() {
    const report = await this.#peer?.getStats();
    let inbound = null;
    report?.forEach((entry) => {
      if (entry.type === "inbound-rtp") inbound = entry;
    });
    return inbound;
  }

  /** @param {RTCIceCandidate | null} candidate null: no more will come */
  #trickle(candidate) {
    this.#send({
      type: "candidate",
      candidate: candidate?.candidate ?? "",
      sdp_mid: candidate?.sdpMid ?? null,
      sdp_m_line_index: candidate?.sdpMLineIndex ?? null,
    });
  }

  /** @param {RTCPeerConnection} peer */
  #watch(peer) {
    clearTimeout(this.#grace);
    if (peer !== this.#peer) return;
    if (peer.connectionState === "failed") this.start();
    if (peer.connectionState === "disconnected") {
      this.#grace = setTimeout(() => this.start(), GRACE_MS);
    }
  }
}

// The WebRTC half of a session: one receive-only video. The signalling goes through `send`.

const GRACE_MS = 2000; // a "disconnected" path often comes back by itself
const TELL_EVERY = 2; // failures in a row: one may be a network that changes
const NO_WEBRTC =
  "This browser has no WebRTC, which the video comes by. Turn it on in its settings or extensions, or take another browser.";
const NO_PATH =
  "The video does not get through. This device and the server must reach each other by UDP: look at firewall and VPN.";

export class Receiver {
  /** @type {RTCPeerConnection | null} */
  #peer = null;
  #send;
  #onTrack;
  #onTrouble;
  #carried;
  #failures = 0; // since the last path that worked
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #grace;

  /**
   * @param {object} parts
   * @param {(message: import("./wire.js").FromClient) => void} parts.send
   * @param {(track: MediaStreamTrack) => void} parts.onTrack
   * @param {(sentence: string) => void} parts.onTrouble what a person can do about video that does not come
   * @param {import("./carried.js").CarriedKeys} [parts.carried] reads what comes
   */
  constructor({ send, onTrack, onTrouble, carried }) {
    this.#carried = carried;
    this.#send = send;
    this.#onTrack = onTrack;
    this.#onTrouble = onTrouble;
  }

  // Offers anew; also the answer to a lost path, since a fresh connection costs one round trip more than an
  // ICE restart and works with every peer.
  async start() {
    this.stop();
    if (!("RTCPeerConnection" in globalThis)) return this.#onTrouble(NO_WEBRTC);
    const peer = new RTCPeerConnection({ iceServers: [] }); // no stranger learns of this stream
    this.#peer = peer;
    const transceiver = peer.addTransceiver("video", { direction: "recvonly" });
    if ("jitterBufferTarget" in transceiver.receiver) transceiver.receiver.jitterBufferTarget = 0;
    this.#carried?.read(transceiver.receiver);
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
    if (peer.connectionState === "connected") this.#failures = 0;
    if (peer.connectionState === "failed") {
      this.#failures += 1;
      if (this.#failures % TELL_EVERY === 0) this.#onTrouble(NO_PATH);
      this.start();
    }
    if (peer.connectionState === "disconnected") {
      this.#grace = setTimeout(() => this.start(), GRACE_MS);
    }
  }
}

// What is known of the frames: which poses were sent for them, what the server told of them, and when they were shown.
// All figures of the stream come from here.

import { PoseHistory } from "./history.js";
import { RoundTrip } from "./roundtrip.js";
import { Stages } from "./stages.js";
import { DecodeMeter, FrameStatistics } from "./statistics.js";

const REMEMBERED = 600; // frames, for tests and curious people

/**
 * @typedef {{key: number | null, head: object | null, eyes: object[] | null, latency: number | null,
 *   shownAt: number}} Entry
 */

export class Ledger {
  /** @type {PoseHistory<import("./frame.js").Sent>} */
  history = new PoseHistory();
  /** @type {PoseHistory<import("./frame.js").Header>} */
  headers = new PoseHistory(); // of frames, by the same keys
  stages = new Stages();
  statistics = new FrameStatistics();
  #roundTrip = new RoundTrip();
  #decoding = new DecodeMeter();
  /** @type {Entry[]} */
  frames = []; // the last ones shown

  /** @param {import("./frame.js").Header} header */
  heard(header) {
    this.stages.hear(header.times);
    this.headers.remember(header.key, header);
  }

  /** @param {import("./wire.js").Told<"pong">} pong */
  answered(pong) {
    this.#roundTrip.hear(pong, performance.now());
  }

  /**
   * A frame was shown for the first time. Gives what the server wants to hear of it, if it knows it.
   * @param {import("./stage.js").Shown} shown
   * @returns {import("./wire.js").FromClient | null}
   */
  shown({ key, sent, at, shownAt }) {
    const latency = sent ? at - sent.at : null;
    this.statistics.add(at, latency, sent ? shownAt - sent.at : null);
    this.frames.push({ key, head: sent?.head ?? null, eyes: sent?.eyes ?? null, latency, shownAt });
    if (this.frames.length > REMEMBERED) this.frames.shift();
    if (key === null || !sent) return null;
    const times = this.headers.find(key)?.times;
    if (times) this.stages.add({ key, sentAt: sent.at, at, shownAt, times });
    return { type: "report", key, decoded_ms: at - sent.at, shown_ms: shownAt - sent.at };
  }

  /** Asks the server how far it is. */
  ping() {
    return this.#roundTrip.ping(performance.now());
  }

  /**
   * The stages get what the browser has measured by now.
   * @param {RTCInboundRtpStreamStats | null} inbound
   */
  measured(inbound) {
    if (inbound) this.#decoding.read(inbound);
    Object.assign(this.stages, { upMs: this.#roundTrip.wayMs, decodeMs: this.#decoding.ms });
  }

  summary() {
    return this.statistics.summary(performance.now());
  }
}

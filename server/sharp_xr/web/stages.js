// Where the age of a shown frame comes from, stage by stage, from sending its pose to showing its picture.
//
//     page   send ─ pose ┐                                            ┌ decode ─ display
//     server             └ pose (waits) ─ render ─ encode ─ network ──┘
//
// A frame's header tells the server's own times, and a later one what the encoder took. The way up is half of a
// round trip, decoding is the browser's average. What is left is the network: pacing, the way down, repairs,
// and the jitter buffer.

import { PoseHistory } from "./history.js";

/** In the order of a frame's way. */
export const STAGES = /** @type {const} */ (["pose", "render", "encode", "network", "decode", "display"]);
export const WINDOW_MS = 4000;

/**
 * @typedef {(typeof STAGES)[number]} Stage
 * @typedef {Record<Stage, number>} Split Milliseconds; their sum is the frame's age when it was shown.
 * @typedef {{pose_wait_ms: number, render_ms: number, encode_ms: number, encode_wait_ms: number, encoded: number | null}} Times
 *   Of a frame's header.
 * @typedef {{key: number, sentAt: number, at: number, shownAt: number, times: Times}} Shown When its pose was
 *   sent, when it was decoded, when it was drawn: of performance.now().
 */

export class Stages {
  /** @type {{shown: Shown, upMs: number, decodeMs: number}[]} */
  #frames = []; // of the last seconds, oldest first
  /** @type {PoseHistory<number>} */
  #encodings = new PoseHistory(); // milliseconds by key
  #encodingMs = 0; // the last one that is known
  upMs = 0; // of a message to the server; set by whoever measures it
  decodeMs = 0; // of a frame; likewise

  /**
   * Of every header that comes, also of a frame that never does.
   * @param {Times} times
   */
  hear({ encoded, encode_ms }) {
    if (encoded === null) return;
    this.#encodings.remember(encoded, encode_ms);
    this.#encodingMs = encode_ms;
  }

  /** @param {Shown} shown */
  add(shown) {
    this.#frames.push({ shown, upMs: this.upMs, decodeMs: this.decodeMs });
    while (this.#frames[0].shown.shownAt < shown.shownAt - WINDOW_MS) this.#frames.shift();
  }

  /**
   * The frames that were shown in the last seconds, oldest first.
   * @param {number} now
   */
  recent(now) {
    return this.#frames
      .filter(({ shown }) => shown.shownAt >= now - WINDOW_MS)
      .map(({ shown, upMs, decodeMs }) => {
        const encodeMs = this.#encodings.find(shown.key) ?? this.#encodingMs;
        return { shownAt: shown.shownAt, split: split(shown, encodeMs, upMs, decodeMs) };
      });
  }
}

/**
 * The clocks of page and server are not compared: what the server took comes first, and the estimates share
 * what is left, so that the sum is always the age.
 * @param {Shown} shown
 * @param {number} encodeMs
 * @param {number} upMs
 * @param {number} decodeMs
 * @returns {Split}
 */
export function split({ sentAt, at, shownAt, times }, encodeMs, upMs, decodeMs) {
  const way = Math.max(at - sentAt, 0);
  const encode = times.encode_wait_ms + encodeMs;
  const server = times.pose_wait_ms + times.render_ms + encode;
  const share = server > way ? way / server : 1; // another frame's encoding may have taken longer
  const rest = way - share * server;
  const up = Math.min(upMs, rest);
  const decode = Math.min(decodeMs, rest - up);
  return {
    pose: up + share * times.pose_wait_ms,
    render: share * times.render_ms,
    encode: share * encode,
    network: rest - up - decode,
    decode,
    display: shownAt - at,
  };
}

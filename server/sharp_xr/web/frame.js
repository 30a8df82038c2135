// What is known of a decoded frame: where in its picture things are, and which view it was drawn for.

import { tangentsOf } from "./geometry.js";

/** @typedef {import("./geometry.js").Fov} Fov */
/** @typedef {import("./warp.js").Viewer} Viewer */
/** @typedef {import("./wire.js").Layout} Layout */
/** @typedef {import("./wire.js").Told<"frame_header">} Header */
/** @typedef {Viewer & {at: number, scene: import("./wire.js").Scene}} Sent With a pose: `at` performance.now(). */
/**
 * @typedef {object} Frame
 * @property {number | null} key null: this browser does not tell
 * @property {Sent | null} sent with its pose; null where that is not known
 * @property {Layout} layout
 * @property {number} near_m
 * @property {Viewer} drawn
 */

export class Frames {
  #headers;
  #history;
  /** @type {{header: Header, sent: Sent} | null} */
  #last = null; // the newest header whose picture was seen, with the view that was asked for

  /**
   * @param {object} parts
   * @param {Pick<import("./history.js").PoseHistory<Header>, "find" | "newest">} parts.headers the server's, by key
   * @param {Pick<import("./history.js").PoseHistory<Sent>, "find">} parts.history
   */
  constructor({ headers, history }) {
    this.#headers = headers;
    this.#history = history;
  }

  /**
   * Of a picture of `width` x `height` pixels with this key; null where nothing is known of it.
   * @param {number | null} key
   * @param {number} width
   * @param {number} height
   * @returns {Frame | null}
   */
  identify(key, width, height) {
    const sent = key === null ? null : this.#history.find(key);
    const header = key === null ? null : this.#headers.find(key);
    if (header && fits(header.layout, width, height)) {
      if (sent) this.#last = { header, sent };
      return { key, sent, layout: header.layout, near_m: header.near_m, drawn: header };
    }
    return this.#guess(key, sent, width, height);
  }

  /**
   * Where the browser tells no keys: as the newest one, if it has its size. To be shown as it was drawn.
   * @param {number} width
   * @param {number} height
   * @returns {Frame | null}
   */
  #asDrawn(width, height) {
    const header = this.#headers.newest;
    if (header === null || !fits(header.layout, width, height)) return null;
    return { key: null, sent: null, layout: header.layout, near_m: header.near_m, drawn: header };
  }

  // Before any header's picture was seen: the newest header alone, with the view that was asked for.
  #first() {
    const header = this.#headers.newest;
    const sent = header && this.#history.find(header.key);
    return header && sent && { header, sent };
  }

  /**
   * Without its header: as the last one was, if the picture still has its size. All of it is colour where none
   * came before; of another size it may be anything.
   * @param {number | null} key
   * @param {Sent | null} sent
   * @param {number} width
   * @param {number} height
   * @returns {Frame | null}
   */
  #guess(key, sent, width, height) {
    const last = (this.#last ??= this.#first());
    if (last === null && sent === null) return this.#asDrawn(width, height);
    if (last && !fits(last.header.layout, width, height)) return null;
    if (last === null) {
      const layout = { eye_width: width / 2, eye_height: height, depth_width: 0, depth_height: 0 };
      return sent && { key, sent, layout, near_m: 0, drawn: sent };
    }
    const { layout, near_m } = last.header;
    if (!sent) return { key, sent: null, layout, near_m, drawn: last.header };
    const eyes = sent.eyes.map((eye, side) => ({
      ...eye,
      fov: widened(eye.fov, last.sent.eyes[side].fov, last.header.eyes[side].fov),
    }));
    return { key, sent, layout, near_m, drawn: { head: sent.head, eyes } };
  }
}

/**
 * @param {Layout} layout
 * @param {number} width
 * @param {number} height
 */
function fits({ eye_width, eye_height, depth_height }, width, height) {
  return width === 2 * eye_width && height === eye_height + depth_height;
}

/**
 * With the margin, in tangents, that `drawn` has around `asked`.
 * @param {Fov} fov
 * @param {Fov} asked
 * @param {Fov} drawn
 * @returns {Fov}
 */
function widened(fov, asked, drawn) {
  const [here, before, after] = [fov, asked, drawn].map(tangentsOf);
  const [left, right, up, down] = here.map((tangent, i) => Math.atan(tangent + after[i] - before[i]));
  return { left, right, up, down };
}

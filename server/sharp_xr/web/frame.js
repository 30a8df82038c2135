// What is known of a decoded frame: where in its picture things are, and which view it was drawn for.
// {key, sent, layout, near_m, drawn: {head, eyes}}; `sent` is what the history has of its pose, or null.

import { tangentsOf } from "./geometry.js";

const SIDES = ["left", "right", "up", "down"];

export class Frames {
  #headers;
  #history;
  #last = null; // the newest header whose picture was seen, with the view that was asked for

  // Both are PoseHistory: the server's headers and what was sent, by key.
  constructor({ headers, history }) {
    this.#headers = headers;
    this.#history = history;
  }

  // Of a picture of `width` x `height` pixels with this key (null: this browser does not tell), or null where
  // nothing is known of it.
  identify(key, width, height) {
    const sent = key === null ? null : this.#history.find(key);
    const header = key === null ? null : this.#headers.find(key);
    if (header && fits(header.layout, width, height)) {
      if (sent) this.#last = { header, sent };
      return { key, sent, layout: header.layout, near_m: header.near_m, drawn: header };
    }
    return this.#guess(key, sent, width, height);
  }

  // Without its header: as the last one was, if the picture still has its size. All of it is colour where none
  // came before; of another size it may be anything.
  #guess(key, sent, width, height) {
    const last = this.#last;
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

function fits({ eye_width, eye_height, depth_height }, width, height) {
  return width === 2 * eye_width && height === eye_height + depth_height;
}

// With the margin, in tangents, that `drawn` has around `asked`.
function widened(fov, asked, drawn) {
  const [here, before, after] = [fov, asked, drawn].map(tangentsOf);
  return Object.fromEntries(
    SIDES.map((side, i) => [side, Math.atan(here[i] + after[i] - before[i])]),
  );
}

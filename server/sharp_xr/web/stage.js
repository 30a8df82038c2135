// Where frames are shown. Every decoded frame is looked up by its RTP timestamp; the newest one is warped to
// where the head is at each turn of the display. `onFrame` hears what was shown first.

import { Effort } from "./effort.js";
import { Frames } from "./frame.js";
import { aspectOf } from "./optics.js";
import { Painter } from "./painter.js";
import { Pictures } from "./pictures.js";
import { Pixels } from "./pixels.js";
import { warpsFor } from "./warp.js";

/** @typedef {import("./frame.js").Frame} Frame */
/** @typedef {import("./frame.js").Sent} Sent */
/** @typedef {import("./warp.js").View} View */
/** @typedef {import("./wire.js").Scene} Scene */
/** @typedef {{key: number | null, sent: Sent | null, at: number, shownAt: number}} Shown see `onFrame` */

const SOFTWARE_TURN_MS = 40; // a processor that draws shows frames, and where none comes, the head's motion this often

export class Stage {
  #painter;
  #pictures;
  #frames;
  #effort;
  #onFrame;
  #onDecoded;
  #aspect = 1; // of one eye, as shown
  /** @type {Scene | null} */
  #scene = null;
  /** @type {Frame | null} */
  #frame = null; // the newest one, in the painter's texture
  /** @type {number | null} */
  #arrived = null; // when it came, until it has been shown
  #drawnFor = ""; // what the canvas shows by now
  #drawnAt = -Infinity; // performance.now()
  isElsewhere = false; // while a headset shows the frames
  isHeld = false; // shows frames as they were drawn, instead of warped to where the head is
  /** @type {import("./painter.js").View} */
  view = "left";
  swapped = false;

  /**
   * @param {object} parts
   * @param {HTMLElement} parts.area the canvas is fitted into it
   * @param {HTMLCanvasElement} parts.canvas
   * @param {HTMLVideoElement} parts.video
   * @param {import("./history.js").PoseHistory<Sent>} parts.history
   * @param {import("./history.js").PoseHistory<import("./frame.js").Header>} parts.headers
   * @param {(scene: Scene) => View} parts.viewOf where the eyes are now
   * @param {(shown: Shown) => void} parts.onFrame hears of each frame when it is first shown: what was remembered with
   *   its key (null where it matches no pose), when it was decoded and when it was drawn
   * @param {(key: number) => void} parts.onDecoded hears of every frame that came, whether it is shown or not
   * @param {import("./carried.js").CarriedKeys} parts.carried
   */
  constructor({ area, canvas, video, history, headers, viewOf, onFrame, onDecoded, carried }) {
    this.area = area;
    this.canvas = canvas;
    this.viewOf = viewOf;
    this.#frames = new Frames({ history, headers });
    this.#onFrame = onFrame;
    this.#onDecoded = onDecoded;
    this.#painter = new Painter(canvas);
    this.#effort = new Effort(this.#painter.isSoftware);
    canvas.addEventListener("webglcontextrestored", () => (this.#frame = null));
    const pixels = this.#painter.isSoftware ? new Pixels() : null;
    this.#pictures = new Pictures({ video, onPicture: (picture) => this.#take(picture), carried, pixels });
    document.body.toggleAttribute("data-software", this.#painter.isSoftware);
    new ResizeObserver(() => this.#fit()).observe(area);
  }

  /** @param {MediaStreamTrack} track */
  attach(track) {
    return this.#pictures.attach(track);
  }

  /**
   * From now on the server draws this scene. Frames of poses that were sent before looked through another window
   * at it: they would show it too large or too small for a moment, and are left out.
   * @param {Scene | null} scene
   */
  enter(scene) {
    this.#scene = scene;
  }

  /** @param {import("./painter.js").View} view */
  show(view) {
    this.view = view;
    this.redraw();
  }

  redraw() {
    this.#drawnFor = "";
    this.#paint();
  }

  // Pixels of one eye, as decoded.
  get eyeSize() {
    return this.#frame ? [this.#frame.layout.eye_width, this.#frame.layout.eye_height] : [0, 0];
  }

  // Whether frames are warped for one pixel in many, see Effort.
  get isCoarse() {
    return this.#effort.isCoarse;
  }

  // Where the head was that the newest frame was drawn for; null where nobody knows.
  get headShown() {
    return this.#frame?.sent?.head ?? null;
  }

  /**
   * Once per turn of the display: the newest frame, as the eyes would see it now.
   * @param {number} now performance.now()
   */
  turn(now) {
    const isSpared = this.#painter.isSoftware && this.#arrived === null && now - this.#drawnAt < SOFTWARE_TURN_MS;
    const draws = !isSpared && this.#paint();
    if (draws) this.#drawnAt = now;
    this.#effort.turned(now, draws);
    this.#painter.isCoarse = this.#effort.isCoarse;
  }

  // Whether there was anything new to draw.
  #paint() {
    const frame = this.#frame;
    if (frame === null || this.isElsewhere) return false;
    const { sent, drawn } = frame;
    const shown = sent && !this.isHeld ? this.viewOf(sent.scene) : { ...drawn, flat: 0 };
    const drawnFor = JSON.stringify(shown);
    const isOther = drawnFor !== this.#drawnFor || this.#arrived !== null;
    if (isOther) {
      this.#painter.draw(this.view, this.swapped, warpsFor(frame, shown), frame.layout);
      this.#drawnFor = drawnFor;
      this.#fit();
    }
    this.#tell();
    return isOther;
  }

  // Paints, and gives what the canvas shows then, small; null before there is anything.
  look() {
    this.redraw();
    return this.#drawnFor ? this.#painter.look() : null;
  }

  /**
   * The same into the framebuffer of a headset, see Painter.drawEyes. Nothing until the scene's first frame has
   * come: one of the scene before would stand in the wrong place.
   * @param {Parameters<Painter["drawEyes"]>[0]} target
   * @param {Parameters<Painter["drawEyes"]>[1]} places
   * @param {View} shown
   * @param {boolean} isClear
   */
  paintEyes(target, places, shown, isClear) {
    const frame = this.#frame;
    if (frame === null || (frame.sent && frame.sent.scene !== this.#scene)) return;
    this.#painter.isCoarse = this.#effort.isCoarse;
    this.#painter.drawEyes(target, places, warpsFor(frame, shown), frame.layout, isClear);
    this.#effort.turned(performance.now(), true);
    this.#tell();
  }

  get gl() {
    return this.#painter.gl;
  }

  /** @param {import("./pictures.js").Picture} picture */
  #take({ picture, width, height, key }) {
    if (key !== null) this.#onDecoded(key);
    const frame = this.#frames.identify(key, width, height);
    if (frame === null || (frame.sent && frame.sent.scene !== this.#scene)) return;
    if (frame.sent) this.#aspect = aspectOf(frame.sent.scene);
    this.#painter.upload(picture, width, height);
    this.#frame = frame;
    this.#arrived = performance.now();
  }

  #tell() {
    if (this.#arrived === null || this.#frame === null) return;
    const { key, sent } = this.#frame;
    const at = this.#arrived;
    this.#arrived = null;
    this.#onFrame({ key, sent, at, shownAt: performance.now() });
  }

  #fit() {
    const shape = this.view === "side-by-side" ? 2 * this.#aspect : this.#aspect;
    const [width, height] = fitInside(this.area.clientWidth, this.area.clientHeight, shape);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
  }
}

/**
 * The largest whole size inside an area.
 * @param {number} width
 * @param {number} height
 * @param {number} shape its width over its height
 */
export function fitInside(width, height, shape) {
  return width / height > shape
    ? [Math.round(height * shape), height]
    : [width, Math.round(width / shape)];
}

// The panel inside a headset: scenes to go to, and what can be done there. It stands in the room, a bit below
// the eyes, and rays press what is on it. xrsheet.js paints it, xrquad.js shows it.

import { axisAngle, compose, inverse, multiply, rotate } from "./geometry.js";
import { Quads } from "./xrquad.js";
import { METRES, PIXELS, SHOWN_AT_ONCE, Sheet, cellsFor, nameOf } from "./xrsheet.js";
import { yawOf } from "./xrview.js";

/** @typedef {import("./geometry.js").Pose} Pose */
/** @typedef {import("./xrsheet.js").Action} Action */
/** @typedef {import("./xrsheet.js").NamedScene} NamedScene */

const AWAY = [0, -0.45, -1]; // of the head, level: metres
const TILT = Math.atan2(AWAY[1], -AWAY[2]); // it faces the eyes
const BEAM_M = 1.5; // of a ray that meets nothing

/**
 * Where a ray, which goes along -z, meets the panel.
 * @param {Pose} ray room_from_ray
 * @param {Pose} roomFromPanel
 * @returns {{at: number[], metres: number} | null} `at` from 0 to 1 from its left and its top
 */
export function meets(ray, roomFromPanel) {
  const { position, orientation } = compose(inverse(roomFromPanel), ray);
  const [dx, dy, dz] = rotate(orientation, [0, 0, -1]);
  const metres = -position[2] / dz;
  if (!(metres > 0) || dz > 0) return null; // behind the hand, or seen from its back
  const x = (position[0] + metres * dx) / METRES[0] + 0.5;
  const y = 0.5 - (position[1] + metres * dy) / METRES[1];
  return x >= 0 && x <= 1 && y >= 0 && y <= 1 ? { at: [x, y], metres } : null;
}

export class Panel3d {
  #onAction;
  #sheet;
  #quads = new Quads();
  /** @type {NamedScene[]} */
  #scenes = [];
  #first = 0; // of the scenes that are shown
  /** @type {Pose | null} */
  #stand = null; // room_from_panel; null: closed
  #isToOpen = false;
  /** @type {{ray: Pose, isHeld: boolean}[]} */
  #rays = [];

  /**
   * @param {object} parts
   * @param {(id: string) => string} parts.thumbnailUrl
   * @param {(action: Action, scene: NamedScene | null) => void} parts.onAction what was pressed
   */
  constructor({ thumbnailUrl, onAction }) {
    this.#onAction = onAction;
    this.#sheet = new Sheet({ thumbnailUrl });
  }

  get isOpen() {
    return this.#stand !== null;
  }

  /** What a test may know: where it stands, and what is where on it. */
  get cells() {
    return cellsFor(this.#scenes, this.#first);
  }

  get stand() {
    return this.#stand;
  }

  /**
   * @param {NamedScene[]} scenes
   * @param {string | null} current id of the one that is shown
   */
  setScenes(scenes, current) {
    this.#scenes = scenes;
    const last = Math.max(0, Math.floor((scenes.length - 1) / SHOWN_AT_ONCE)) * SHOWN_AT_ONCE;
    this.#first = Math.min(this.#first, last);
    this.#sheet.current = current;
    this.#sheet.forget();
  }

  /** @param {number} size times as large as in truth */
  setSize(size) {
    this.#sheet.size = size;
    this.#sheet.forget();
  }

  /**
   * A sentence about what is wrong, or "". Inside a headset nothing else of the page is seen, so it opens.
   * @param {string} trouble
   */
  tell(trouble) {
    if (trouble === this.#sheet.trouble) return;
    this.#sheet.trouble = trouble;
    this.#sheet.forget();
    if (trouble) this.openAtNext();
  }

  /** In front of a head, wherever it looks. @param {Pose} roomFromHead */
  open({ position, orientation }) {
    const facing = yawOf(orientation);
    const away = rotate(facing, AWAY);
    this.#isToOpen = false;
    this.#stand = {
      position: position.map((value, axis) => value + away[axis]),
      orientation: multiply(facing, axisAngle([1, 0, 0], TILT)),
    };
  }

  /** As soon as it is known where the head is: see `follow`. */
  openAtNext() {
    this.#isToOpen = true;
  }

  close() {
    this.#stand = null;
    this.#isToOpen = false;
  }

  /**
   * The head is there; `isRecentred`: an open panel comes to it.
   * @param {Pose} roomFromHead
   * @param {boolean} isRecentred
   */
  follow(roomFromHead, isRecentred) {
    if (this.#isToOpen ? !this.isOpen : isRecentred && this.isOpen) this.open(roomFromHead);
    this.#isToOpen = false;
  }

  /** @param {{ray: Pose, isHeld: boolean}[]} rays of all hands; a beam is seen of those that are held */
  point(rays) {
    this.#rays = rays;
    const stand = this.#stand;
    if (stand === null) return;
    const pointed = rays.flatMap(({ ray }) => this.#cellAt(meets(ray, stand)) ?? []);
    this.#sheet.point(pointed.map(nameOf));
  }

  /**
   * A trigger was pulled: on the panel it presses what is there; beside it, it closes or opens it.
   * @param {Pose | null} ray
   * @param {Pose} roomFromHead
   */
  press(ray, roomFromHead) {
    if (this.#stand === null) return this.open(roomFromHead);
    const met = ray && meets(ray, this.#stand);
    if (!met) return this.close();
    const cell = this.#cellAt(met);
    if (cell?.action === "earlier") this.#page(-SHOWN_AT_ONCE);
    else if (cell?.action === "later") this.#page(SHOWN_AT_ONCE);
    else if (cell) this.#onAction(cell.action, cell.scene);
  }

  /**
   * Into one eye of the framebuffer that is bound.
   * @param {WebGL2RenderingContext} gl
   * @param {XRView} eye
   * @param {[number, number, number, number]} viewport
   */
  draw(gl, eye, viewport) {
    const stand = this.#stand;
    if (stand === null) return;
    const hits = this.#rays.map(({ ray }) => meets(ray, stand));
    this.#quads.begin(gl, eye, viewport);
    if (this.#sheet.isStale) this.#quads.take(gl, this.#sheet.paint(this.cells));
    const cursors = hits.flatMap((hit) => (hit ? [hit.at] : []));
    this.#quads.panel(gl, stand, METRES, PIXELS, cursors);
    for (const [i, { ray, isHeld }] of this.#rays.entries()) {
      if (isHeld) this.#quads.beam(gl, ray, hits[i]?.metres ?? BEAM_M);
    }
    this.#quads.end(gl);
  }

  /** What was made with a context that is lost. */
  forgetContext() {
    this.#quads = new Quads();
    this.#sheet.forget();
  }

  /** @param {ReturnType<typeof meets>} met */
  #cellAt(met) {
    if (!met) return null;
    const [x, y] = met.at.map((share, axis) => share * PIXELS[axis]);
    const isAt = (/** @type {import("./xrsheet.js").Cell} */ one) =>
      x >= one.x && x <= one.x + one.width && y >= one.y && y <= one.y + one.height;
    return this.cells.find(isAt) ?? null;
  }

  /** @param {number} by */
  #page(by) {
    this.#first += by;
    this.#sheet.forget();
  }
}

// The phone as a window: the eyes stay where they are in the room while the phone turns in the hand, so that one
// looks through it around the edges of the scene.
//
// The window is as far from the eyes as the scene's focus. A phone that turns by w, about its own axes, has
// the eyes at -w x (0, 0, focus) from where they were. What the phone does slowly is how it is held, and
// is forgotten.

import { axisAngle, conjugate, multiply } from "./geometry.js";

/** @typedef {import("./head.js").Head} Head */

const FORGET_S = 8; // how it is held, to 1 / e
const STILL = 2e-4; // of the focus distance: less is the sensor's noise
const WAIT_MS = 1500; // for the first word of the sensor

const NO_SENSOR = "This device does not tell how it is held. Over http a browser may keep that to itself: use https.";
const NOT_ALLOWED = "The browser may not tell how the phone is held: allow motion in its settings for this page.";

/**
 * The W3C's angles, in degrees, and the screen's -> earth_from_screen. x right, y up along the screen, z out of it.
 * https://w3c.github.io/deviceorientation/ : turned by alpha about z, then beta about x, then gamma about y
 * @param {{alpha: number | null, beta: number | null, gamma: number | null}} angles
 * @param {number} screen degrees that the picture is turned on the device, clockwise
 */
export function earthFromScreen({ alpha, beta, gamma }, screen) {
  const turn = (/** @type {number[]} */ axis, /** @type {number | null} */ degrees) =>
    axisAngle(axis, ((degrees ?? 0) * Math.PI) / 180);
  const device = multiply(turn([0, 0, 1], alpha), multiply(turn([1, 0, 0], beta), turn([0, 1, 0], gamma)));
  return multiply(device, turn([0, 0, 1], -screen));
}

export class Tilt {
  #head;
  #focus;
  #target;
  #wait;
  isOn = false;
  /** @type {number[] | null} */
  #held = null; // earth_from_screen as it is held
  /** @type {number[] | null} */
  #now = null; // the newest
  #lean = [0, 0]; // of the eyes, to the right and up: metres

  /**
   * @param {object} parts
   * @param {Head} parts.head
   * @param {() => number} parts.focus metres
   * @param {EventTarget} [parts.target] of the sensor's events
   * @param {number} [parts.waitMs] for the first of them
   */
  constructor({ head, focus, target = globalThis.window, waitMs = WAIT_MS }) {
    this.#head = head;
    head.onCentred = () => this.recentre();
    this.#focus = focus;
    this.#target = target;
    this.#wait = waitMs;
  }

  /** Whether this may be a phone: it has the sensor's interface, and a finger points. */
  static get isOffered() {
    return "DeviceOrientationEvent" in globalThis && matchMedia("(pointer: coarse)").matches;
  }

  /**
   * On, or off. Must be called from a click. Throws an error with a sentence where it cannot be.
   * @returns {Promise<boolean>} whether it is on now
   */
  async toggle() {
    if (this.isOn) {
      this.#stop();
      return false;
    }
    await permit();
    this.recentre();
    this.#target.addEventListener("deviceorientation", this.#hear);
    this.isOn = true;
    await new Promise((resolve) => setTimeout(resolve, this.#wait));
    if (this.isOn && this.#now === null) {
      this.#stop();
      throw new Error(NO_SENSOR);
    }
    return this.isOn;
  }

  /** From now on the way it is held is straight; the head is in the middle. */
  recentre() {
    this.#held = null;
    this.#lean = [0, 0];
  }

  /** Moves the head by how the phone was turned since the last call. @param {number} seconds */
  advance(seconds) {
    if (this.#now === null) return;
    this.#held = this.#held === null ? this.#now : towards(this.#held, this.#now, seconds / FORGET_S);
    const [wx, wy] = turnBetween(this.#held, this.#now);
    const metres = this.#focus();
    const { limits } = this.#head;
    const lean = [within(-wy * metres, limits.x), within(wx * metres, limits.y)];
    const [x, y] = lean.map((value, axis) => value - this.#lean[axis]);
    if (Math.hypot(x, y) < STILL * metres) return;
    this.#lean = lean;
    this.#head.move({ x, y });
  }

  #hear = (/** @type {Event} */ event) => {
    const { alpha, beta, gamma } = /** @type {DeviceOrientationEvent} */ (event);
    if (beta === null || gamma === null) return; // a computer without the sensor sends one such event
    this.#now = earthFromScreen({ alpha, beta, gamma }, globalThis.screen?.orientation?.angle ?? 0);
  };

  #stop() {
    this.#target.removeEventListener("deviceorientation", this.#hear);
    this.isOn = false;
    this.#now = null;
  }
}

const within = (/** @type {number} */ value, /** @type {number} */ limit) =>
  Math.min(Math.max(value, -limit), limit);

// Safari asks the person; other browsers have nothing to ask.
async function permit() {
  const asked = /** @type {{requestPermission?: () => Promise<string>}} */ (
    /** @type {unknown} */ (globalThis.DeviceOrientationEvent ?? {})
  );
  if (!asked.requestPermission) return;
  const answer = await asked.requestPermission().catch(() => "denied");
  if (answer !== "granted") throw new Error(NOT_ALLOWED);
}

/**
 * The rotation from one orientation to another as a vector, in the axes of the first: radians.
 * @param {number[]} from
 * @param {number[]} to
 */
function turnBetween(from, to) {
  const [x, y, z, w] = multiply(conjugate(from), to);
  const short = w < 0 ? -1 : 1; // q and -q are one rotation
  const sine = Math.hypot(x, y, z);
  const scale = sine < 1e-12 ? 0 : (short * 2 * Math.atan2(sine, Math.abs(w))) / sine;
  return [x * scale, y * scale, z * scale];
}

/**
 * A share of the way.
 * @param {number[]} from
 * @param {number[]} to
 * @param {number} share
 */
function towards(from, to, share) {
  const turn = turnBetween(from, to);
  const angle = Math.hypot(...turn);
  if (angle < 1e-12) return to;
  const axis = turn.map((value) => value / angle);
  return multiply(from, axisAngle(axis, angle * Math.min(share, 1)));
}

// Where the viewer's head is: six springs that follow what the hands ask for, within comfortable limits,
// and a gentle sway until the first touch, so that depth is seen at once.

import { fromYawPitchRoll, rotate } from "./geometry.js";
import { Spring } from "./spring.js";

const REACH_M = 0.5;
const REACH_OF_FOCUS = { x: 0.3, y: 0.2, z: 0.45 }; // a near scene is leaned into less
const TURN_LIMITS = { yaw: 0.6, pitch: 0.4, roll: 0.35 }; // radians
const SWAY_OF_FOCUS = 0.03; // amplitude
const SWAY_PERIOD_S = 7;

/** @typedef {"x" | "y" | "z" | "yaw" | "pitch" | "roll"} Axis */
/** @typedef {{[axis in Axis]?: number}} Move  metres right, up, back; radians left, up, to the left shoulder */
/** @typedef {Record<Axis, Spring>} Springs */

/** @type {Axis[]} */
const AXES = ["x", "y", "z", "yaw", "pitch", "roll"];

const clamp = (/** @type {number} */ value, /** @type {number} */ limit) =>
  Math.min(Math.max(value, -limit), limit);

export class Head {
  #springs = /** @type {Springs} */ (Object.fromEntries(AXES.map((axis) => [axis, new Spring()])));
  #limits = { x: REACH_M, y: REACH_M, z: REACH_M, ...TURN_LIMITS };
  #sway = { on: false, seconds: 0, amplitude: 0 };
  restedS = 0; // for how many seconds it has not moved
  isTouched = false; // whether anybody has moved it since it entered the scene
  /** @type {() => void} */
  onCentred = () => {}; // it goes to the middle, whatever the hands did before

  /**
   * Centres the head for a scene whose near middle is so far away.
   * @param {number} focus_m
   * @param {boolean} sway until it is moved
   */
  enter(focus_m, sway) {
    this.#sway = { on: sway, seconds: 0, amplitude: 0 };
    this.isTouched = false;
    this.refocus(focus_m);
    this.place({});
    this.onCentred();
  }

  /**
   * The scene's near middle is elsewhere now; the head stays where it is, as far as it still may.
   * @param {number} focus_m
   */
  refocus(focus_m) {
    for (const axis of /** @type {const} */ (["x", "y", "z"])) {
      this.#limits[axis] = Math.min(REACH_M, focus_m * REACH_OF_FOCUS[axis]);
      const spring = this.#springs[axis];
      spring.target = clamp(spring.target, this.#limits[axis]);
    }
    this.#sway.amplitude = Math.min(0.08, focus_m * SWAY_OF_FOCUS);
  }

  /** Puts it there at once, without a motion. Also the tests' hand. @param {Move} place */
  place(place) {
    for (const axis of AXES) {
      this.#springs[axis].jump(clamp(place[axis] ?? 0, this.#limits[axis]));
    }
  }

  /** How far it goes each way from the middle: metres, and radians. */
  get limits() {
    return this.#limits;
  }

  /** Metres that one way reaches, along x: what a drag across the picture should cover. */
  get reach() {
    return this.#limits.x;
  }

  /** Adds to where the head is going. @param {Move} change */
  move(change) {
    this.stopSway();
    for (const axis of AXES) {
      const spring = this.#springs[axis];
      spring.target = clamp(spring.target + (change[axis] ?? 0), this.#limits[axis]);
    }
  }

  recentre() {
    this.stopSway();
    for (const spring of Object.values(this.#springs)) spring.target = 0;
    this.onCentred();
  }

  stopSway() {
    this.#sway.on = false;
    this.isTouched = true;
  }

  /** @param {number} seconds since the last call */
  advance(seconds) {
    if (this.#sway.on) this.#swing(seconds);
    const springs = Object.values(this.#springs);
    for (const spring of springs) spring.advance(seconds);
    this.restedS = springs.every((spring) => spring.isAtRest) ? this.restedS + seconds : 0;
  }

  /** As Tracking wants it. */
  get pose() {
    const { x, y, z, yaw, pitch, roll } = this.#springs;
    const orientation = fromYawPitchRoll(yaw.value, pitch.value, roll.value);
    return {
      head: { position: [x.value, y.value, z.value], orientation },
      velocity: {
        linear: [x.velocity, y.velocity, z.velocity],
        angular: angularVelocity(yaw, pitch, roll, orientation),
      },
    };
  }

  /** A slow ellipse that starts at the centre. @param {number} seconds */
  #swing(seconds) {
    this.#sway.seconds += seconds;
    const phase = (2 * Math.PI * this.#sway.seconds) / SWAY_PERIOD_S;
    this.#springs.x.target = this.#sway.amplitude * Math.sin(phase);
    this.#springs.y.target = this.#sway.amplitude * 0.25 * (1 - Math.cos(phase));
  }
}

/**
 * In world axes: each rate about the axis that it turns around after the turns before it.
 * @param {Spring} yaw
 * @param {Spring} pitch
 * @param {Spring} roll
 * @param {number[]} orientation
 */
function angularVelocity(yaw, pitch, roll, orientation) {
  const aboutRight = rotate(fromYawPitchRoll(yaw.value, 0, 0), [pitch.velocity, 0, 0]);
  const aboutBack = rotate(orientation, [0, 0, roll.velocity]);
  return [0, 1, 2].map((i) => aboutRight[i] + aboutBack[i] + (i === 1 ? yaw.velocity : 0));
}

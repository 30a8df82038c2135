// From a headset's poses to the wire's: the photo's camera is put where the viewer's head was when they came in
// or recentred, level, looking where they looked. A scene shown `size` times as large is a head and eyes
// that are `size` times as small in it.

import { axisAngle, compose, conjugate, inverse, multiply, rotate } from "./geometry.js";

/** @typedef {import("./geometry.js").Pose} Pose */
/** @typedef {import("./geometry.js").Fov} Fov */
/** @typedef {{pose: Pose, fov: Fov}} Eye */
/** @typedef {{linear: number[], angular: number[]}} Velocity  metres and radians per second */
/** @typedef {{head: Pose, eyes: Eye[], flat: number}} View  see warp.js */

const LEAST_SIZE = 0.25;
const MOST_SIZE = 4;
const LEAST_LEVEL = 0.1; // of a unit vector that points ahead: straight up and down have no yaw

/**
 * @param {XRRigidTransform} transform
 * @returns {Pose}
 */
export function poseOf({ position: p, orientation: q }) {
  return { position: [p.x, p.y, p.z], orientation: [q.x, q.y, q.z, q.w] };
}

/**
 * Angles of an off-centre projection.
 * @param {ArrayLike<number>} matrix 16 numbers by columns, as WebGL's
 * @returns {Fov}
 */
export function fovOf(matrix) {
  return {
    left: Math.atan((matrix[8] - 1) / matrix[0]),
    right: Math.atan((matrix[8] + 1) / matrix[0]),
    up: Math.atan((matrix[9] + 1) / matrix[5]),
    down: Math.atan((matrix[9] - 1) / matrix[5]),
  };
}

/**
 * The part of a rotation that is about the vertical. Of a head that looks straight up or down it is where
 * its crown or its chin points.
 * @param {number[]} orientation
 * @returns {number[]}
 */
export function yawOf(orientation) {
  let ahead = rotate(orientation, [0, 0, -1]);
  if (Math.hypot(ahead[0], ahead[2]) < LEAST_LEVEL) {
    ahead = rotate(orientation, [0, ahead[1] < 0 ? 1 : -1, 0]);
  }
  return axisAngle([0, 1, 0], Math.atan2(-ahead[0], -ahead[2]));
}

/** Where a scene is in the room, and how large. */
export class Place {
  /** @type {Pose | null} */
  #origin = null; // room_from_world: where in the room the photo's camera stands
  size = 1; // a metre of the photo is a metre

  get isSet() {
    return this.#origin !== null;
  }

  /** @param {Pose} roomFromHead */
  recentre({ position, orientation }) {
    this.#origin = { position, orientation: yawOf(orientation) };
  }

  /** @param {number} factor */
  resize(factor) {
    this.size = Math.min(Math.max(this.size * factor, LEAST_SIZE), MOST_SIZE);
  }

  /**
   * What Tracking and warp.js want of a viewer. One eye, as a phone's, is both. Recentre first.
   * @param {{head: Pose, eyes: Eye[]}} viewer room_from_head; room_from_eye of one eye, or of the left and the right
   * @returns {View} world_from_head, head_from_eye
   */
  view({ head, eyes }) {
    const both = eyes.length === 1 ? [eyes[0], eyes[0]] : eyes;
    return {
      head: this.#smaller(compose(inverse(this.#room()), head)),
      eyes: both.map(({ pose, fov }) => ({ pose: this.#smaller(compose(inverse(head), pose)), fov })),
      flat: 0,
    };
  }

  /**
   * A head's velocity in the room -> in the world.
   * @param {Velocity} velocity
   * @returns {Velocity}
   */
  turned({ linear, angular }) {
    const back = conjugate(this.#room().orientation);
    return {
      linear: rotate(back, linear).map((value) => value / this.size),
      angular: rotate(back, angular),
    };
  }

  #room() {
    if (this.#origin === null) throw new Error("the scene has no place in the room yet");
    return this.#origin;
  }

  /**
   * @param {Pose} pose
   * @returns {Pose}
   */
  #smaller({ position, orientation }) {
    return { position: position.map((metres) => metres / this.size), orientation };
  }
}

/**
 * What takes `before` to `after`, per second, in the axes that both are in.
 * @param {Pose} before
 * @param {Pose} after
 * @param {number} seconds
 * @returns {Velocity}
 */
export function velocityBetween(before, after, seconds) {
  const linear = after.position.map((value, axis) => (value - before.position[axis]) / seconds);
  const [x, y, z, w] = multiply(after.orientation, conjugate(before.orientation));
  const short = w < 0 ? -1 : 1; // q and -q are one rotation
  const sine = Math.hypot(x, y, z);
  const rate = sine < 1e-9 ? 0 : (short * 2 * Math.atan2(sine, Math.abs(w))) / sine / seconds;
  return { linear, angular: [x * rate, y * rate, z * rate] };
}

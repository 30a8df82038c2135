// Rigid poses in OpenXR's axes (x right, y up, z towards the viewer), metres and radians. Quaternions are
// [x, y, z, w], as in protocol/sharp_xr_protocol/geometry.py.

/** @typedef {readonly number[]} Vector  [x, y, z] */
/** @typedef {readonly number[]} Quaternion  [x, y, z, w], of length 1 */
/** @typedef {{position: number[], orientation: number[]}} Pose */
/** @typedef {{left: number, right: number, up: number, down: number}} Fov  angles; left and down are negative */

export const IDENTITY = Object.freeze([0, 0, 0, 1]);

/**
 * Hamilton product: the rotation that does `b` first.
 * @param {Quaternion} a
 * @param {Quaternion} b
 * @returns {number[]}
 */
export function multiply([ax, ay, az, aw], [bx, by, bz, bw]) {
  return [
    aw * bx + ax * bw + ay * bz - az * by,
    aw * by - ax * bz + ay * bw + az * bx,
    aw * bz + ax * by - ay * bx + az * bw,
    aw * bw - ax * bx - ay * by - az * bz,
  ];
}

/**
 * @param {Vector} axis of length 1
 * @param {number} angle
 * @returns {number[]}
 */
export function axisAngle([x, y, z], angle) {
  const sine = Math.sin(angle / 2);
  return [x * sine, y * sine, z * sine, Math.cos(angle / 2)];
}

/**
 * Head turned left by `yaw`, then up by `pitch`, then tilted to the left shoulder by `roll`.
 * @param {number} yaw
 * @param {number} pitch
 * @param {number} roll
 * @returns {number[]}
 */
export function fromYawPitchRoll(yaw, pitch, roll) {
  return multiply(
    multiply(axisAngle([0, 1, 0], yaw), axisAngle([1, 0, 0], pitch)),
    axisAngle([0, 0, 1], roll),
  );
}

/**
 * The vector turned by a unit quaternion: v + 2w (u x v) + 2u x (u x v).
 * @param {Quaternion} rotation
 * @param {Vector} vector
 * @returns {number[]}
 */
export function rotate([x, y, z, w], [vx, vy, vz]) {
  const tx = 2 * (y * vz - z * vy);
  const ty = 2 * (z * vx - x * vz);
  const tz = 2 * (x * vy - y * vx);
  return [
    vx + w * tx + y * tz - z * ty,
    vy + w * ty + z * tx - x * tz,
    vz + w * tz + x * ty - y * tx,
  ];
}

/**
 * The rotation back.
 * @param {Quaternion} rotation
 * @returns {number[]}
 */
export function conjugate([x, y, z, w]) {
  return [-x, -y, -z, w];
}

/**
 * a_from_c of a_from_b and b_from_c; poses are {position, orientation}.
 * @param {Pose} a
 * @param {Pose} b
 * @returns {Pose}
 */
export function compose(a, b) {
  const moved = rotate(a.orientation, b.position);
  return {
    position: [0, 1, 2].map((axis) => a.position[axis] + moved[axis]),
    orientation: multiply(a.orientation, b.orientation),
  };
}

/**
 * b_from_a of a_from_b.
 * @param {Pose} pose
 * @returns {Pose}
 */
export function inverse({ position, orientation }) {
  const back = conjugate(orientation);
  return { position: rotate(back, position).map((metres) => -metres), orientation: back };
}

/**
 * [left, right, up, down] of a field of view: where its borders are at one metre.
 * @param {Fov} fov
 * @returns {number[]}
 */
export function tangentsOf({ left, right, up, down }) {
  return [left, right, up, down].map(Math.tan);
}

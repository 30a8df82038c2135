// A frame, shown from where the eyes are by now. What is the same for all pixels is worked out here; what is
// done for each of them is in shader.js.

import { compose, inverse, rotate, tangentsOf } from "./geometry.js";

/** @typedef {import("./geometry.js").Pose} Pose */
/** @typedef {import("./wire.js").Layout} Layout */
/** @typedef {{head: Pose, eyes: {pose: Pose, fov: import("./geometry.js").Fov}[]}} Viewer world_from_head, and of each
 *   eye head_from_eye. */
/**
 * @typedef {Viewer & {flat: number}} View The inverse distance, in 1 / metres, at which all is taken to be where a
 *   frame has no depth (0: only turns are made up for).
 */
/**
 * @typedef {object} Ray Of a point of the display, [x, y, 1] from its left and top, 0 to 1: at the inverse distance q it
 *   is seen by the frame's eye at p = base [x, y, 1] + q step, in its picture at p.xy / p.z - corner, likewise 0 to 1.
 * @property {number[]} base rows of the matrix, one after the other
 * @property {number[]} step
 * @property {number[]} corner
 */
/** @typedef {Ray & {near_m: number, nearest: number, steps: number, wall: number}} Warp see shader.js */

const STEPS_PER_TEXEL = 1.5;
const MOST_STEPS = 48; // bounds the work; beyond it thin things may be stepped over
const WALL_TEXELS = 2; // a step of depth that opens a wider gap is an edge
const LEAST_WALL = 6 / 219; // of the codes: less is the coder's noise
const SAMPLES = [0.02, 0.25, 0.5, 0.75, 0.98]; // of the display, across and down

/**
 * For both eyes: how to show a frame in the view `shown`.
 * @param {Pick<import("./frame.js").Frame, "drawn" | "near_m" | "layout">} frame
 * @param {View} shown
 * @returns {Warp[]}
 */
export function warpsFor(frame, shown) {
  return [0, 1].map((side) => warpOf(frame, shown, side));
}

/**
 * @param {Pick<import("./frame.js").Frame, "drawn" | "near_m" | "layout">} frame
 * @param {View} shown
 * @param {number} side
 * @returns {Warp}
 */
function warpOf({ drawn, near_m, layout }, shown, side) {
  const drawnFromShown = compose(
    inverse(worldFromEye(drawn, side)),
    worldFromEye(shown, side),
  );
  const ray = rayOf(drawnFromShown, shown.eyes[side].fov, drawn.eyes[side].fov);
  const hasDepth = near_m > 0 && layout.depth_height > 0;
  if (!hasDepth) return { ...ray, near_m: 0, nearest: shown.flat, steps: 0, wall: 1 };
  // The nearest that the codes can say, from where the eye is now.
  const nearest = 1 / Math.max(near_m - Math.hypot(...drawnFromShown.position), near_m / 2);
  const texels = longestWay(ray, nearest, layout);
  const steps = Math.min(Math.max(1, Math.ceil(STEPS_PER_TEXEL * texels)), MOST_STEPS);
  const wall = Math.max(LEAST_WALL, WALL_TEXELS / Math.max(texels, 1e-6));
  return { ...ray, near_m, nearest, steps, wall };
}

/**
 * @param {Viewer} viewer
 * @param {number} side
 * @returns {Pose}
 */
export function worldFromEye({ head, eyes }, side) {
  return compose(head, eyes[side].pose);
}

/**
 * @param {Pose} drawnFromShown
 * @param {import("./geometry.js").Fov} shown the display's
 * @param {import("./geometry.js").Fov} drawn the frame's
 * @returns {Ray}
 */
export function rayOf({ orientation, position }, shown, drawn) {
  const [left, right, up, down] = tangentsOf(shown);
  const [drawnLeft, drawnRight, drawnUp, drawnDown] = tangentsOf(drawn);
  const [across, below] = [drawnRight - drawnLeft, drawnDown - drawnUp];
  const inPictures = (/** @type {number[]} */ [x, y, z]) => [x / across, y / below, -z];
  const columns = [[right - left, 0, 0], [0, down - up, 0], [left, up, -1]];
  const turned = columns.map((column) => inPictures(rotate(orientation, column)));
  return {
    base: [0, 1, 2].flatMap((row) => turned.map((column) => column[row])),
    step: inPictures(position),
    corner: [drawnLeft / across, drawnUp / below],
  };
}

/**
 * Where a point of the display is in the frame.
 * @param {Ray} ray
 * @param {number[]} point 0 to 1 from the display's left and top
 * @param {number} q inverse distance along the point's ray
 */
export function placeInFrame({ base, step, corner }, [x, y], q) {
  const [px, py, pz] = step.map((way, i) => base[3 * i] * x + base[3 * i + 1] * y + base[3 * i + 2] + q * way);
  const w = Math.max(pz, 1e-6); // what is beside or behind the eye is far outside of its picture
  return [px / w - corner[0], py / w - corner[1]];
}

/**
 * By how many texels of the depth map the nearest moves against the farthest, where it does most.
 * @param {Ray} ray
 * @param {number} nearest
 * @param {Layout} layout
 */
function longestWay(ray, nearest, { depth_width, depth_height }) {
  let longest = 0;
  for (const x of SAMPLES) {
    for (const y of SAMPLES) {
      const near = placeInFrame(ray, [x, y], nearest);
      const far = placeInFrame(ray, [x, y], 0);
      const way = Math.hypot((near[0] - far[0]) * depth_width, (near[1] - far[1]) * depth_height);
      longest = Math.max(longest, way);
    }
  }
  return longest;
}

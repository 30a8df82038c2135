// The two eyes of a flat screen. The page shows the photo as a window: a plane at the scene's focus distance
// stays where it is on the screen while the head leans, so nearer things move against it and farther
// things with it, and both eyes converge on it. That takes fields of view that are off-centre.

const CROP = 0.96; // of the photo's field: hides the ragged rim of the Gaussians
const IPD_M = 0.063; // mean of adults (Dodgson 2004)
// On a screen, parallax beyond a thirtieth of the picture's width is hard to fuse (the stereographer's 1/30
// rule): very near scenes get a narrower pair of eyes.
const MOST_PARALLAX = 1 / 30;
const NEAREST_FOCUS = 0.25; // of the focus distance: how near the window may come in the arithmetic

export const FULL_FRAME_MM = Math.hypot(36, 24); // diagonal of 35 mm film

/** @typedef {import("./geometry.js").Fov} Fov */
/** @typedef {Pick<import("./wire.js").Scene, "photo_fov" | "focus_m">} Scene */

/**
 * Diagonal of a field of view, in tangents: of the picture at one metre.
 * @param {Fov} fov
 */
export function diagonalOf({ left, right, up, down }) {
  return Math.hypot(Math.tan(right) - Math.tan(left), Math.tan(up) - Math.tan(down));
}

/**
 * Tangents of the window's four sides, seen from the photo's camera.
 * @param {Pick<Scene, "photo_fov">} scene
 */
export function windowOf(scene) {
  const { left, right, up, down } = scene.photo_fov;
  return {
    left: Math.tan(left) * CROP,
    right: Math.tan(right) * CROP,
    up: Math.tan(up) * CROP,
    down: Math.tan(down) * CROP,
  };
}

/**
 * Width over height of the picture on the screen, whatever the shape of the video's pixels.
 * @param {Pick<Scene, "photo_fov">} scene
 */
export function aspectOf(scene) {
  const { left, right, up, down } = windowOf(scene);
  return (right - left) / (up - down);
}

/**
 * Metres between the eyes.
 * @param {Scene} scene
 */
export function baselineOf(scene) {
  const { left, right } = windowOf(scene);
  return Math.min(IPD_M, scene.focus_m * (right - left) * MOST_PARALLAX);
}

/**
 * The eyes of a head, as Tracking wants them.
 * @param {Scene} scene
 * @param {number[]} position metres in the world
 */
export function eyesOf(scene, position) {
  const half = baselineOf(scene) / 2;
  return [-half, half].map((offset) => ({
    pose: { position: [offset, 0, 0], orientation: [0, 0, 0, 1] },
    fov: fovFrom(scene, [position[0] + offset, position[1], position[2]]),
  }));
}

/**
 * What a frame is to be shown for. Without depth, all is taken to be in the window's plane: it stays where it is
 * on the screen.
 * @param {Scene} scene
 * @param {import("./geometry.js").Pose} head
 * @returns {import("./warp.js").View}
 */
export function viewOf(scene, head) {
  const distance = windowDistance(scene, head.position[2]);
  return { head, eyes: eyesOf(scene, head.position), flat: 1 / distance };
}

/**
 * @param {Scene} scene
 * @param {number} z
 */
function windowDistance(scene, z) {
  return Math.max(scene.focus_m + z, scene.focus_m * NEAREST_FOCUS);
}

/**
 * Seen from the side, the window lies on the other side. Its size in tangents stays: coming closer enlarges the
 * picture, as on a photo, instead of opening the field.
 * @param {Scene} scene
 * @param {number[]} position of the eye
 * @returns {Fov}
 */
function fovFrom(scene, [x, y, z]) {
  const window = windowOf(scene);
  const distance = windowDistance(scene, z);
  return {
    left: Math.atan(window.left - x / distance),
    right: Math.atan(window.right - x / distance),
    up: Math.atan(window.up - y / distance),
    down: Math.atan(window.down - y / distance),
  };
}

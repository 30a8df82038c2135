import assert from "node:assert/strict";
import { test } from "node:test";

import { tangentsOf } from "../../server/sharp_xr/web/geometry.js";
import { aspectOf, baselineOf, diagonalOf, eyesOf, windowOf } from "../../server/sharp_xr/web/optics.js";

// 3:2, 60 degrees wide.
const TAN = Math.tan(Math.PI / 6);
const fov = {
  left: -Math.PI / 6,
  right: Math.PI / 6,
  up: Math.atan((TAN * 2) / 3),
  down: -Math.atan((TAN * 2) / 3),
};
const scene = { photo_fov: fov, focus_m: 2 };

/** @typedef {import("../../server/sharp_xr/web/geometry.js").Fov} Fov */
/** @typedef {{pose: {position: number[]}, fov: Fov}} Eye */

/**
 * Where a point of the world stands in an eye's picture, 0 to 1 from left and top.
 * @param {Eye} eye
 * @param {number[]} head metres
 * @param {number[]} point metres
 */
function seen(eye, head, [x, y, z]) {
  const [ex, ey, ez] = head.map((value, axis) => value + eye.pose.position[axis]);
  const right = (x - ex) / -(z - ez);
  const up = (y - ey) / -(z - ez);
  const [left, end, top, down] = tangentsOf(eye.fov);
  return [(right - left) / (end - left), (top - up) / (top - down)];
}

/**
 * @param {number[]} actual
 * @param {number[]} expected
 */
function assertClose(actual, expected, tolerance = 1e-9) {
  actual.forEach((value, index) => {
    assert.ok(Math.abs(value - expected[index]) < tolerance, `${actual} is not ${expected}`);
  });
}

test("the picture has the photo's shape, a little cropped", () => {
  assert.ok(Math.abs(aspectOf(scene) - 1.5) < 1e-12);
  const { right } = windowOf(scene);
  assert.ok(right < TAN && right > 0.9 * TAN);
});

test("the focus point stays in the middle of both eyes wherever the head leans", () => {
  for (const head of [[0, 0, 0], [0.3, 0, 0], [-0.2, 0.1, -0.4], [0.1, -0.2, 0.5]]) {
    for (const eye of eyesOf(scene, head)) {
      assertClose(seen(eye, head, [0, 0, -2]), [0.5, 0.5]);
    }
  }
});

test("leaning to the right moves near things left and far things right", () => {
  const head = [0.2, 0, 0];
  const [eye] = eyesOf(scene, head);
  const [rest] = eyesOf(scene, [0, 0, 0]);
  const shift = (/** @type {number} */ z) => seen(eye, head, [0, 0, z])[0] - seen(rest, [0, 0, 0], [0, 0, z])[0];
  assert.ok(shift(-1) < -0.05);
  assert.ok(shift(-8) > 0.02);
});

test("the left eye sees near things farther right than the right eye does", () => {
  const [left, right] = eyesOf(scene, [0, 0, 0]);
  const disparity = (/** @type {number} */ z) => seen(left, [0, 0, 0], [0, 0, z])[0] - seen(right, [0, 0, 0], [0, 0, z])[0];
  assert.ok(disparity(-1) > 0);
  assert.ok(disparity(-8) < 0);
});

test("coming closer enlarges the picture", () => {
  const at = [0.2, 0, -2];
  const closer = [0, 0, -0.5];
  const far = seen(eyesOf(scene, [0, 0, 0])[1], [0, 0, 0], at)[0] - 0.5;
  const near = seen(eyesOf(scene, closer)[1], closer, at)[0] - 0.5;
  assert.ok(near / far > 1.3 && near / far < 1.36); // 2 m / 1.5 m
});

test("eyes are 63 mm apart, and nearer each other only for a near scene", () => {
  assert.equal(baselineOf(scene), 0.063);
  const near = { ...scene, focus_m: 0.5 };
  assert.ok(baselineOf(near) < 0.03);
  // The parallax of the farthest things is a thirtieth of the picture's width.
  const [left, right] = eyesOf(near, [0, 0, 0]);
  const far = [0, 0, -1e9];
  const parallax = seen(right, [0, 0, 0], far)[0] - seen(left, [0, 0, 0], far)[0];
  assert.ok(Math.abs(parallax - 1 / 30) < 1e-6);
});

test("fields of view stay fields of view at every limit of the head", () => {
  for (const focus_m of [0.3, 2, 100]) {
    for (const x of [-0.5, 0.5]) {
      for (const z of [-0.5, 0.5]) {
        for (const { fov: { left, right, up, down } } of eyesOf({ ...scene, focus_m }, [x, x, z])) {
          assert.ok(left < right && down < up);
          assert.ok([left, right, up, down].every((angle) => Math.abs(angle) < Math.PI / 2));
        }
      }
    }
  }
});

test("the diagonal of a field of view is that of its picture at one metre", () => {
  assert.ok(Math.abs(diagonalOf(fov) - Math.hypot(2 * TAN, (4 / 3) * TAN)) < 1e-12);
});

test("another focal length of a scene that is bent to it leaves the middle's view as it is", () => {
  const ratio = 1.7;
  const narrower = (/** @type {number} */ angle) => Math.atan(Math.tan(angle) / ratio);
  const bent = {
    photo_fov: {
      left: narrower(fov.left),
      right: narrower(fov.right),
      up: narrower(fov.up),
      down: narrower(fov.down),
    },
    focus_m: scene.focus_m * ratio,
  };
  const middle = [0, 0, 0];
  const offset = (/** @type {Fov} */ of, /** @type {number[]} */ point) =>
    seen({ fov: of, pose: { position: middle } }, middle, point);
  const fovOf = (/** @type {typeof scene} */ one) => eyesOf({ ...one, focus_m: 1e9 }, middle)[0].fov;
  assertClose(offset(fovOf(bent), [0.3, 0.2, -3 * ratio]), offset(fovOf(scene), [0.3, 0.2, -3]), 1e-6);
});

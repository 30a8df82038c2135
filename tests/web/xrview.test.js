import assert from "node:assert/strict";
import { test } from "node:test";

import { axisAngle, compose, fromYawPitchRoll, multiply, rotate } from "../../server/sharp_xr/web/geometry.js";
import { worldFromEye } from "../../server/sharp_xr/web/warp.js";
import { Place, fovOf, velocityBetween, yawOf } from "../../server/sharp_xr/web/xrview.js";

const LEVEL = [0, 0, 0, 1];
const FOV = { left: -0.8, right: 0.7, up: 0.6, down: -0.9 };

/**
 * @param {readonly number[]} actual
 * @param {readonly number[]} wanted
 */
function near(actual, wanted, tolerance = 1e-12) {
  assert.equal(actual.length, wanted.length);
  actual.forEach((value, i) => assert.ok(Math.abs(value - wanted[i]) <= tolerance, `${actual} is not ${wanted}`));
}

// glFrustum for tangents, as every headset makes its own.
/** @param {{left: number, right: number, up: number, down: number}} tangents */
function projection({ left, right, up, down }, near_m = 0.1, far_m = 100) {
  const [width, height] = [right - left, up - down];
  const depth = far_m - near_m;
  return [
    2 / width, 0, 0, 0,
    0, 2 / height, 0, 0,
    (right + left) / width, (up + down) / height, -(far_m + near_m) / depth, -1,
    0, 0, (-2 * far_m * near_m) / depth, 0,
  ];
}

test("the field of view of an eye is its own: off-centre, and whatever the near plane", () => {
  const tangents = { left: -1.376, right: 0.966, up: 0.839, down: -1.428 }; // a Quest's left eye
  for (const near_m of [0.01, 0.1, 1]) {
    const fov = fovOf(projection(tangents, near_m));
    near(
      [fov.left, fov.right, fov.up, fov.down],
      [tangents.left, tangents.right, tangents.up, tangents.down].map(Math.atan),
    );
  }
});

test("yaw is what is left of a head that nods and tilts", () => {
  for (const yaw of [-3, -1.2, 0, 0.4, 2.8]) {
    near(yawOf(fromYawPitchRoll(yaw, 0.7, -0.4)), axisAngle([0, 1, 0], yaw));
  }
});

test("a head that looks straight up or down has the yaw of its chin or its crown", () => {
  for (const pitch of [-Math.PI / 2, Math.PI / 2, -1.53]) {
    near(yawOf(fromYawPitchRoll(0.9, pitch, 0)), axisAngle([0, 1, 0], 0.9), 1e-6);
  }
});

test("after recentring the head is the photo's camera, level, whatever its height and yaw", () => {
  const place = new Place();
  assert.equal(place.isSet, false);
  assert.throws(() => place.view({ head: { position: [0, 0, 0], orientation: LEVEL }, eyes: [] }), /no place/);
  const head = { position: [2, 1.7, -3], orientation: axisAngle([0, 1, 0], 1.1) };
  place.recentre({ ...head, orientation: fromYawPitchRoll(1.1, 0.5, 0.2) });
  const { head: world } = place.view({ head, eyes: [{ pose: head, fov: FOV }] });
  near(world.position, [0, 0, 0]);
  near(world.orientation, LEVEL);
});

test("a step ahead in the room is one ahead in the scene, a metre a metre", () => {
  const place = new Place();
  const facing = axisAngle([0, 1, 0], Math.PI / 2); // it looks along -x
  place.recentre({ position: [1, 1.6, 1], orientation: facing });
  const head = { position: [0.5, 1.7, 1], orientation: facing };
  near(place.view({ head, eyes: [{ pose: head, fov: FOV }] }).head.position, [0, 0.1, -0.5]);
});

test("eyes keep their places to the head, and their fields of view", () => {
  const place = new Place();
  const head = { position: [0, 1.6, 0], orientation: fromYawPitchRoll(0.3, -0.2, 0.1) };
  place.recentre({ position: [0, 1.5, 0.2], orientation: LEVEL });
  const offsets = [-0.031, 0.031].map((x) => ({ position: [x, 0.001, -0.002], orientation: axisAngle([0, 1, 0], x) }));
  const eyes = offsets.map((offset) => ({ pose: compose(head, offset), fov: FOV }));
  const view = place.view({ head, eyes });
  view.eyes.forEach((eye, i) => {
    near(eye.pose.position, offsets[i].position);
    near(eye.pose.orientation, offsets[i].orientation);
    assert.equal(eye.fov, FOV);
  });
  near(worldFromEye(view, 1).position, compose(view.head, offsets[1]).position);
});

test("one eye, as a phone's, is both", () => {
  const place = new Place();
  const head = { position: [0, 0, 0], orientation: LEVEL };
  place.recentre(head);
  const { eyes } = place.view({ head, eyes: [{ pose: head, fov: FOV }] });
  assert.equal(eyes.length, 2);
  assert.deepEqual(eyes[0], eyes[1]);
});

test("a scene twice as large is a head and eyes of half the size, within bounds", () => {
  const place = new Place();
  const head = { position: [0.4, 0, 0], orientation: LEVEL };
  place.recentre({ position: [0, 0, 0], orientation: LEVEL });
  place.resize(2);
  const eye = { position: [0.432, 0, 0], orientation: LEVEL };
  const view = place.view({ head, eyes: [{ pose: eye, fov: FOV }] });
  near(view.head.position, [0.2, 0, 0]);
  near(view.eyes[0].pose.position, [0.016, 0, 0]);
  near(place.turned({ linear: [1, 0, 0], angular: [0, 1, 0] }).linear, [0.5, 0, 0]);
  near(place.turned({ linear: [1, 0, 0], angular: [0, 1, 0] }).angular, [0, 1, 0]);
  place.resize(1000);
  assert.equal(place.size, 4);
  place.resize(1e-9);
  assert.equal(place.size, 0.25);
});

test("velocities are told in the scene's axes", () => {
  const place = new Place();
  place.recentre({ position: [0, 0, 0], orientation: axisAngle([0, 1, 0], Math.PI / 2) });
  const { linear, angular } = place.turned({ linear: [-1, 0, 0], angular: [0, 0, -2] });
  near(linear, [0, 0, -1]);
  near(angular, [2, 0, 0]);
});

test("two poses tell the speed between them, the short way round", () => {
  const before = { position: [0, 0, 0], orientation: fromYawPitchRoll(0.3, 0.2, 0.1) };
  const spin = [0.6, -0.8, 0];
  const turned = multiply(axisAngle(spin, 0.02), before.orientation);
  for (const sign of [1, -1]) {
    const after = { position: [0.01, 0, -0.02], orientation: turned.map((value) => sign * value) };
    const { linear, angular } = velocityBetween(before, after, 0.01);
    near(linear, [1, 0, -2]);
    near(angular, spin.map((value) => value * 2), 1e-9);
  }
  near(velocityBetween(before, before, 0.01).angular, [0, 0, 0]);
  assert.ok(rotate(turned, [0, 0, -1])[2] < 0);
});

import assert from "node:assert/strict";
import { test } from "node:test";

import { rotate } from "../../server/sharp_xr/web/geometry.js";
import { Head } from "../../server/sharp_xr/web/head.js";

function head(focus_m = 2, sway = false) {
  const made = new Head();
  made.enter(focus_m, sway);
  return made;
}

/** @param {Head} moved */
function settle(moved, seconds = 2) {
  for (let i = 0; i < seconds * 60; i += 1) moved.advance(1 / 60);
  return moved.pose.head;
}

const looks = (/** @type {import("../../server/sharp_xr/web/geometry.js").Pose} */ pose) => rotate(pose.orientation, [0, 0, -1]);

test("goes where it is moved and comes back to the middle", () => {
  const moved = head();
  moved.move({ x: 0.2, y: -0.1, z: -0.3 });
  assert.deepEqual(settle(moved).position, [0.2, -0.1, -0.3]);
  moved.recentre();
  assert.deepEqual(settle(moved), { position: [0, 0, 0], orientation: [0, 0, 0, 1] });
});

test("stays within half a metre, and nearer for near scenes", () => {
  const far = head(50);
  far.move({ x: 9, y: -9, z: 9 });
  assert.deepEqual(settle(far).position, [0.5, -0.5, 0.5]);
  const near = head(0.5);
  near.move({ z: -9 });
  assert.ok(Math.abs(settle(near).position[2]) < 0.25); // in front of what is 0.5 m away
});

test("yaw is to the left, pitch up, roll to the left shoulder", () => {
  const turned = (/** @type {import("../../server/sharp_xr/web/head.js").Move} */ move) => {
    const made = head();
    made.move(move);
    return settle(made);
  };
  assert.ok(looks(turned({ yaw: 0.3 }))[0] < -0.2);
  assert.ok(looks(turned({ pitch: 0.3 }))[1] > 0.2);
  assert.ok(rotate(turned({ roll: 0.3 }).orientation, [0, 1, 0])[0] < -0.2);
});

test("sways until it is touched, and says so", () => {
  const swaying = head(2, true);
  let reach = 0;
  for (let i = 0; i < 8 * 60; i += 1) {
    swaying.advance(1 / 60);
    reach = Math.max(reach, Math.abs(swaying.pose.head.position[0]));
  }
  assert.ok(reach > 0.03 && reach < 0.08);
  assert.equal(swaying.isTouched, false);
  swaying.move({});
  assert.equal(swaying.isTouched, true);
  const rest = settle(swaying);
  assert.deepEqual(settle(swaying), rest);
});

test("does not sway where motion is not wanted", () => {
  assert.deepEqual(settle(head(2, false), 3).position, [0, 0, 0]);
});

test("tells its velocity, linear and angular, in world axes", () => {
  const moving = head();
  moving.move({ x: 0.3, yaw: 0.4, pitch: 0.2, roll: 0.1 });
  for (let i = 0; i < 5; i += 1) moving.advance(1 / 60);
  const before = moving.pose;
  const step = 1e-5;
  moving.advance(step);
  const after = moving.pose;
  const speed = (after.head.position[0] - before.head.position[0]) / step;
  assert.ok(Math.abs(speed - before.velocity.linear[0]) < 1e-2);
  // Each axis of the head moves by omega x axis.
  for (const axis of [[1, 0, 0], [0, 1, 0], [0, 0, 1]]) {
    const was = rotate(before.head.orientation, axis);
    const is = rotate(after.head.orientation, axis);
    const [wx, wy, wz] = before.velocity.angular;
    const wanted = [
      wy * was[2] - wz * was[1],
      wz * was[0] - wx * was[2],
      wx * was[1] - wy * was[0],
    ];
    wanted.forEach((value, i) => assert.ok(Math.abs((is[i] - was[i]) / step - value) < 1e-2));
  }
});

test("knows for how long it has not moved", () => {
  const head = new Head();
  head.enter(2, false);
  for (let i = 0; i < 4; i += 1) head.advance(0.5);
  assert.equal(head.restedS, 2);
  head.move({ x: 0.1 });
  head.advance(0.05);
  assert.equal(head.restedS, 0);
  for (let i = 0; i < 4; i += 1) head.advance(0.5);
  assert.ok(head.restedS > 0.9);
});

test("stays where it is when the scene turns out deeper, and comes back into a flatter one's reach", () => {
  const head = new Head();
  head.enter(1, false);
  head.place({ x: 0.3 });
  head.refocus(1.5);
  head.advance(1);
  assert.equal(head.pose.head.position[0], 0.3);
  head.refocus(0.5);
  for (let i = 0; i < 4; i += 1) head.advance(0.5);
  assert.equal(head.pose.head.position[0], head.reach);
  assert.ok(head.reach < 0.3);
});

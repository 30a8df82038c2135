import assert from "node:assert/strict";
import { test } from "node:test";

import { Spring } from "../../server/sharp_xr/web/spring.js";

/**
 * @param {number} steps
 * @param {number} seconds of each
 */
function run(steps, seconds) {
  const spring = new Spring();
  spring.target = 1;
  const values = [];
  for (let i = 0; i < steps; i += 1) {
    spring.advance(seconds);
    values.push(spring.value);
  }
  return { spring, values };
}

test("goes to its target without passing it", () => {
  const { spring, values } = run(120, 1 / 60);
  assert.ok(values.every((value, i) => value <= 1 && value >= (values[i - 1] ?? 0)));
  assert.equal(spring.value, 1);
  assert.equal(spring.velocity, 0);
});

test("moves the same whatever the frame rate", () => {
  const slow = run(3, 1 / 15).spring;
  const fast = run(24, 1 / 120).spring;
  assert.ok(Math.abs(slow.value - fast.value) < 1e-12);
  assert.ok(Math.abs(slow.velocity - fast.velocity) < 1e-10);
});

test("its velocity is that of its value", () => {
  const { spring } = run(5, 1 / 60);
  const before = spring.value;
  const velocity = spring.velocity;
  spring.advance(1e-6);
  assert.ok(Math.abs((spring.value - before) / 1e-6 - velocity) < 1e-3);
});

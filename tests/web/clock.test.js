import assert from "node:assert/strict";
import { test } from "node:test";

import { KeyClock, keyAt, ticksBetween } from "../../server/sharp_xr/web/clock.js";

test("a key counts 90 ticks per millisecond", () => {
  assert.equal(keyAt(0), 0);
  assert.equal(keyAt(1000), 90_000);
  assert.equal(keyAt(16.6667), 1500);
});

test("keys rise strictly, within one tick and when the clock stands", () => {
  const clock = new KeyClock();
  assert.deepEqual(
    [100, 100, 100.001, 99, 101].map((ms) => clock.next(ms)),
    [9000, 9001, 9002, 9003, 9090],
  );
});

test("keys go on rising across the wrap after 13 hours", () => {
  const wrap = 2 ** 32 / 90; // milliseconds
  const clock = new KeyClock();
  const before = clock.next(wrap - 1);
  const after = clock.next(wrap + 1);
  assert.ok(before > 2 ** 32 - 100 && after < 100);
  assert.ok(ticksBetween(before, after) >= 179 && ticksBetween(before, after) <= 181);
  assert.ok(ticksBetween(after, before) < 0);
});

test("a tick too many at the wrap is key 0", () => {
  const clock = new KeyClock();
  const last = (2 ** 32 - 1) / 90 + 0.001;
  assert.equal(clock.next(last), 2 ** 32 - 1);
  assert.equal(clock.next(last), 0);
});

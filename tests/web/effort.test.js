import assert from "node:assert/strict";
import { test } from "node:test";

import { Effort } from "../../server/sharp_xr/web/effort.js";

/** A display whose turns take so long, thoroughly or not. @param {{fine: number, coarse: number}} ms */
function display(ms) {
  const effort = new Effort(false);
  let now = 0;
  const seen = { changes: 0 };
  /** @param {number} seconds @param {boolean} [draws] */
  const pass = (seconds, draws = true) => {
    const before = effort.isCoarse;
    for (const end = now + 1000 * seconds; now < end; ) {
      const was = effort.isCoarse;
      effort.turned(now, draws);
      if (effort.isCoarse !== was) seen.changes += 1;
      now += effort.isCoarse ? ms.coarse : ms.fine;
    }
    return before;
  };
  return { effort, pass, seen, ms };
}

test("a device that has the time is thorough for ever", () => {
  const { effort, pass, seen } = display({ fine: 16.7, coarse: 16.7 });
  pass(600);
  assert.equal(effort.isCoarse, false);
  assert.equal(seen.changes, 0);
});

test("a slow one is spared within a second, and keeps being", () => {
  const { effort, pass, seen } = display({ fine: 90, coarse: 17 });
  pass(1);
  assert.equal(effort.isCoarse, true);
  pass(600);
  assert.ok(seen.changes < 14, `${seen.changes} changes in ten minutes`); // trials get rarer
});

test("a display that is slow by itself is not: less effort does not help it", () => {
  const { effort, pass, seen } = display({ fine: 33.3, coarse: 33.3 });
  pass(5);
  assert.equal(effort.isCoarse, false);
  assert.equal(seen.changes, 2);
  pass(600);
  assert.ok(seen.changes < 14);
});

test("who was busy for a while is thorough again when that is over", () => {
  const { effort, pass, ms } = display({ fine: 60, coarse: 20 });
  pass(2);
  assert.equal(effort.isCoarse, true);
  Object.assign(ms, { fine: 16, coarse: 16 });
  pass(60);
  assert.equal(effort.isCoarse, false);
});

test("turns that draw nothing say nothing, nor does one long pause", () => {
  const { effort, pass } = display({ fine: 100, coarse: 16 });
  pass(10, false);
  assert.equal(effort.isCoarse, false);
  const calm = display({ fine: 16, coarse: 16 });
  calm.pass(1);
  calm.ms.fine = 5000;
  calm.pass(5); // one turn: a tab that was out of sight
  calm.ms.fine = 16;
  calm.pass(1);
  assert.equal(calm.seen.changes, 0);
});

test("a processor that draws never has the time", () => {
  const effort = new Effort(true);
  for (let now = 0; now < 600_000; now += 16) effort.turned(now, true);
  assert.equal(effort.isCoarse, true);
});

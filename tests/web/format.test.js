import assert from "node:assert/strict";
import { test } from "node:test";

import { clockOf, count, date, fixed, percent } from "../../server/sharp_xr/web/format.js";

test("counts are short", () => {
  assert.deepEqual([999, 295_400, 999_499, 999_500, 1_179_648].map(count), [
    "999",
    "295 K",
    "999 K",
    "1.0 M",
    "1.2 M",
  ]);
});

test("what was not measured is a dash", () => {
  assert.deepEqual([fixed(null, 1), fixed(undefined, 1), fixed(0, 1, " ms"), percent(null)], [
    "–",
    "–",
    "0.0 ms",
    "–",
  ]);
});

test("almost all is not all", () => {
  assert.deepEqual([percent(1), percent(0.99996), percent(0.5)], ["100 %", "99.9 %", "50.0 %"]);
});

test("a date is the time today, the day this year, and has its year before", () => {
  const now = new Date(2026, 10, 24, 13, 0);
  const written = (/** @type {[number, number, number, number?, number?]} */ [y, m, d, h = 0, min = 0]) =>
    date(new Date(y, m, d, h, min).getTime() / 1000, now, "en-GB");
  assert.equal(written([2026, 10, 24, 9, 5]), "9:05");
  assert.equal(written([2026, 9, 3]), "3 Oct");
  assert.equal(written([2025, 9, 3]), "3 Oct 2025");
});

test("what is left of ten minutes is told as on a clock", () => {
  assert.deepEqual([600, 599, 65, 9].map(clockOf), ["10:00", "9:59", "1:05", "0:09"]);
});

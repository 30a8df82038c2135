import assert from "node:assert/strict";
import { test } from "node:test";

import { BitrateMeter, FrameStatistics, percentile } from "../../server/sharp_xr/web/statistics.js";

test("counts frames per second over the last three seconds", () => {
  const statistics = new FrameStatistics();
  for (let at = 0; at <= 10_000; at += 20) statistics.add(at, 8);
  assert.equal(statistics.summary(10_000).fps, 50);
  assert.equal(statistics.summary(20_000).fps, null);
});

test("tells median and 95th percentile of the latency, and which share was matched", () => {
  const statistics = new FrameStatistics();
  for (let i = 1; i <= 100; i += 1) statistics.add(i, i);
  for (let i = 0; i < 100; i += 1) statistics.add(100, null);
  const { median, p95, matchedShare } = statistics.summary(100);
  assert.deepEqual([median, p95, matchedShare], [50, 95, 0.5]);
});

test("has no figures before the first frame", () => {
  assert.deepEqual(new FrameStatistics().summary(0), {
    fps: null,
    median: null,
    p95: null,
    matchedShare: null,
  });
  assert.equal(percentile([], 0.5), null);
});

test("measures bits per second between two readings, not across a new connection", () => {
  const meter = new BitrateMeter();
  assert.equal(meter.read(1000, 0), null);
  assert.equal(meter.read(2000, 500), 16_000);
  assert.equal(meter.read(10, 1000), null);
  assert.equal(meter.read(1010, 2000), 8000);
});

test("measures bits over the same three seconds as frames, so that both speak of one time", () => {
  const meter = new BitrateMeter();
  meter.read(0, 0);
  assert.equal(meter.read(3000, 1000), 24_000);
  assert.equal(meter.read(3000, 2000), 12_000);
  assert.equal(meter.read(3000, 3900), 0);
});
